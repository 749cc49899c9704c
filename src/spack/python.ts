/** The Python that runs Spack. */
import { SpacktainersError } from "../util/errors.ts";
import { findProgram, runTool } from "../util/tool.ts";

/** What has to be known of a Python. */
export interface Python {
  /** Absolute path of the interpreter itself. */
  readonly executable: string;
  /** Such as `[3, 11, 2]`. */
  readonly version: readonly [number, number, number];
  /** `x86_64`, `aarch64`. */
  readonly machine: string;
  /** Version of glibc such as `[2, 36]`; undefined with another C library. */
  readonly glibc: readonly [number, number] | undefined;
}

/** Oldest Python that Spack 1.x and its solver's packages are published for. */
const oldest = [3, 8] as const;

/** A Python script that tells what has to be known of a Python; {@link parsePythonAnswer} reads its output. */
export const pythonQuestion = `
import json, os, platform, sys
if sys.implementation.name != "cpython": sys.exit(3)
try: libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError): libc = ""
print(json.dumps([sys.executable, sys.version_info[:3], platform.machine(), libc]))
`;

/**
 * The machine's Python: the system's own, else the first on the search path.
 *
 * @param candidates paths to try, for tests
 * @throws SpacktainersError RUNTIME_MISSING when there is none, or only ones that are too old
 */
export async function findPython(candidates?: readonly string[]): Promise<Python> {
  const onPath = await findProgram("python3");
  const tried = candidates ?? ["/usr/bin/python3", ...(onPath === undefined ? [] : [onPath])];
  let tooOld: string | undefined;
  for (const candidate of new Set(tried)) {
    const answer = await runTool([candidate, "-I", "-S", "-c", pythonQuestion], { timeout: 30_000 });
    if (answer.status !== 0) continue;
    const python = parsePythonAnswer(answer.stdout, candidate);
    if (isTooOld(python)) {
      tooOld = `${candidate} is version ${python.version.join(".")}`;
      continue;
    }
    return python;
  }
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    tooOld === undefined
      ? "Spack needs python3, which is not here"
      : `Spack needs Python ${oldest.join(".")} or newer, and ${tooOld}`,
    { hint: "apt-get install python3" },
  );
}

/** What {@link pythonQuestion} answered. */
export function parsePythonAnswer(output: string, candidate: string): Python {
  const [executable, version, machine, libc] = JSON.parse(output) as [
    string,
    [number, number, number],
    string,
    string,
  ];
  const glibc = /^glibc (\d+)\.(\d+)/.exec(libc);
  return {
    executable: executable || candidate,
    version,
    machine,
    glibc: glibc === null ? undefined : [Number(glibc[1]), Number(glibc[2])],
  };
}

/** Whether Spack cannot run in a Python. */
export function isTooOld({ version: [major, minor] }: Python): boolean {
  return major !== oldest[0] || minor < oldest[1];
}
