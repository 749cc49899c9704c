/** One smoke test, run on one runtime of this machine. */
import { judge, type PlannedTest } from "../../hpc/smokeTests.ts";
import { type ApptainerName, apptainerInvocation } from "../../run/apptainer.ts";
import { ownIdentity } from "../../run/identity.ts";
import type { RuntimeName } from "../../run/types.ts";
import { findProgram, runTool, type ToolResult } from "../../util/tool.ts";

/** What is started: an image in an OCI layout, or a SIF file (or unpacked Apptainer image) as it is. */
export interface TestSubject {
  readonly kind: "layout" | "sif";
  /** Absolute. */
  readonly path: string;
}

/** How to run a test. */
export interface TestRunContext {
  readonly directory: string;
  /** How to start this very program. */
  readonly self: readonly [string, ...string[]];
  readonly signal: AbortSignal;
}

/** Whether a runtime starts SIF files as they are. */
export function runsSif(runtime: RuntimeName): runtime is ApptainerName {
  return runtime === "apptainer" || runtime === "singularity";
}

/**
 * Runs a test.
 *
 * @param mpiexec in the image; undefined: there is none
 * @returns why it failed; empty when it passed
 */
export async function runTest(
  test: PlannedTest,
  subject: TestSubject,
  runtime: RuntimeName,
  mpiexec: string | undefined,
  context: TestRunContext,
): Promise<readonly string[]> {
  if (test.ranks > 0 && mpiexec === undefined)
    return ["there is no mpiexec in the image to start ranks with"];
  const ranks = test.ranks > 0 ? [mpiexec ?? "mpiexec", "-n", String(test.ranks)] : [];
  const command = [...ranks, ...test.command];
  const result =
    subject.kind === "sif" && runsSif(runtime)
      ? await runSif(test, subject.path, runtime, command, context)
      : await runLayout(test, subject.path, runtime, command, context);
  if (result.status === -1) return [`it was stopped after ${test.timeout} seconds`];
  return judge(test, result);
}

async function runLayout(
  test: PlannedTest,
  layout: string,
  runtime: RuntimeName,
  command: readonly string[],
  { directory, self, signal }: TestRunContext,
): Promise<ToolResult> {
  const [program, ...args] = self;
  const variables = Object.entries(test.environment).flatMap(([name, value]) => [
    "--env",
    `${name}=${value}`,
  ]);
  return runTool(
    [
      program,
      ...args,
      ...["exec", "--quiet", "--with", runtime, "--mpi", "none", ...variables, layout, "--"],
      ...command,
    ],
    { cwd: directory, timeout: test.timeout * 1000, signal },
  );
}

/** The file itself is started, as isolated as images of layouts are. */
async function runSif(
  test: PlannedTest,
  path: string,
  runtime: ApptainerName,
  [program = "", ...args]: readonly string[],
  { directory, signal }: TestRunContext,
): Promise<ToolResult> {
  const environment = new Map(Object.entries(test.environment));
  const { argv, env } = apptainerInvocation(runtime, (await findProgram(runtime)) ?? runtime, path, {
    argv: [program, ...args],
    env: environment,
    extraEnv: environment,
    workdir: "/",
    binds: [],
    network: "host",
    tty: false,
    readOnly: false,
    gpu: undefined,
    hostMpi: false,
    user: ownIdentity(),
    fakeroot: false,
    launch: undefined,
  });
  return runTool(argv, { cwd: directory, env, timeout: test.timeout * 1000, signal });
}
