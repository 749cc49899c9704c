/**
 * Nothing that a test waits for may take for ever. While a test waits for a program by `spawnSync` or one of its siblings, its own time
 * limit cannot end it; so every such call that sets no limit gets one, and says so when it is reached.
 */
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

/** Less than a test may take. In milliseconds. */
const limit = 240_000;

type Waiting = (file: string, ...rest: unknown[]) => unknown;

/** The same function, which ends the program in time. */
function limited(wait: Waiting): Waiting {
  return (file, ...rest) => {
    const args = Array.isArray(rest[0]) ? [rest[0]] : [];
    const given = (rest[args.length] ?? {}) as { readonly timeout?: number };
    const from = performance.now();
    try {
      return wait(file, ...args, { killSignal: "SIGKILL", ...given, timeout: given.timeout ?? limit });
    } finally {
      if (given.timeout === undefined && performance.now() - from >= limit)
        process.stderr.write(
          `killed after ${limit / 1000} s: ${[file, ...args.flat()].join(" ").slice(0, 500)}\n`,
        );
    }
  };
}

const synchronous = childProcess as unknown as Record<"spawnSync" | "execFileSync" | "execSync", Waiting>;
for (const name of ["spawnSync", "execFileSync", "execSync"] as const)
  synchronous[name] = limited(synchronous[name]);
syncBuiltinESMExports();
