/** One thing that was found out about whether something can run. */
export interface Finding {
  /** `error`: it cannot work. `warning`: it may not. `ok`: it was checked and is right. */
  readonly severity: "error" | "warning" | "ok";
  /** Stable name of what was checked, such as `mpi-abi`. */
  readonly check: string;
  /** One sentence. */
  readonly message: string;
  /** Where it was seen: a file and a symbol or text in it, a package, a command's answer. */
  readonly evidence: readonly string[];
  /** What to do. */
  readonly remedy?: string | undefined;
}

/** Makes a finding that nothing is wrong with. */
export function ok(check: string, message: string, ...evidence: readonly string[]): Finding {
  return { severity: "ok", check, message, evidence };
}
