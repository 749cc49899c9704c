/** One smoke test, run on one runtime of this machine. */
import { judge, type PlannedTest } from "../../hpc/smokeTests.ts";
import type { RuntimeName } from "../../run/types.ts";
import { runTool } from "../../util/tool.ts";

/** How to run a test. */
export interface TestRunContext {
  readonly directory: string;
  /** How to start this very program. */
  readonly self: readonly [string, ...string[]];
  readonly signal: AbortSignal;
}

/** What a test runs in. */
export interface TestRun {
  readonly image: string;
  readonly runtime: RuntimeName;
  readonly mpiexec: string | undefined;
  readonly context: TestRunContext;
}

/**
 * Runs a test.
 *
 * @param image as a command line names it
 * @param mpiexec in the image; undefined: there is none
 * @returns why it failed; empty when it passed
 */
export async function runTest(
  test: PlannedTest,
  { image, runtime, mpiexec, context: { directory, self, signal } }: TestRun,
): Promise<readonly string[]> {
  if (test.ranks > 0 && mpiexec === undefined)
    return ["there is no mpiexec in the image to start ranks with"];
  const ranks = test.ranks > 0 ? [mpiexec ?? "mpiexec", "-n", String(test.ranks)] : [];
  const variables = Object.entries(test.environment).flatMap(([name, value]) => [
    "--env",
    `${name}=${value}`,
  ]);
  const [program, ...args] = self;
  const exec = ["exec", "--quiet", "--with", runtime, "--mpi", "none", ...variables, image, "--"];
  const result = await runTool([program, ...args, ...exec, ...ranks, ...test.command], {
    cwd: directory,
    timeout: test.timeout * 1000,
    signal,
  });
  return result.status === -1 ? [`it was stopped after ${test.timeout} seconds`] : judge(test, result);
}
