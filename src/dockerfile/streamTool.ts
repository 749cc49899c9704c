import { spawn } from "node:child_process";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";

/**
 * Runs a program and passes on what it says.
 *
 * @returns its exit status
 * @throws SpacktainersError PROCESS_FAILED (it cannot be started), INTERRUPTED
 */
export function streamTool(
  argv: readonly [string, ...string[]],
  {
    onOutput,
    signal,
  }: { readonly onOutput: (chunk: Buffer) => void; readonly signal: AbortSignal | undefined },
): Promise<number> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: hostEnvironment(),
      signal,
    });
    child.stdout.on("data", onOutput);
    child.stderr.on("data", onOutput);
    child.once("error", (cause) =>
      reject(
        signal?.aborted === true
          ? new SpacktainersError("INTERRUPTED", "interrupted while running a command")
          : new SpacktainersError("PROCESS_FAILED", `${program} cannot be started: ${cause.message}`),
      ),
    );
    child.once("close", (code) => resolve(code ?? -1));
  });
}
