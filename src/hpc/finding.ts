/** One thing that was found out about whether something can run. */
export interface Finding {
  /** `error`: the image cannot work. `warning`: it may not work. `ok`: the check passed. */
  readonly severity: "error" | "warning" | "ok";
  /** Stable name of what was checked, such as `mpi-abi`. */
  readonly check: string;
  /** One sentence. */
  readonly message: string;
  /** Source of the finding: a file and a symbol or text in it, a package, or a command's answer. */
  readonly evidence: readonly string[];
  /** What to do. */
  readonly remedy?: string | undefined;
}

/** Makes a finding that nothing is wrong with. */
export function ok(check: string, message: string, ...evidence: readonly string[]): Finding {
  return { severity: "ok", check, message, evidence };
}
