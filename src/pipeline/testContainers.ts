/** From a command line of `test` to results: smoke tests of containers on the runtimes of this machine, or as Slurm jobs. */
import { yamlLimits } from "../definitions/positionedYaml.ts";
import { readTextFile } from "../definitions/repository.ts";
import { readTestsFile } from "../definitions/testsFile.ts";
import type { TestsFile } from "../definitions/testsSchema.ts";
import { readHostFacts } from "../hpc/hostFacts.ts";
import { judge, type PlannedTest, planTests } from "../hpc/smokeTests.ts";
import type { RuntimeName } from "../run/types.ts";
import { asSpacktainersError, SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { runTool } from "../util/tool.ts";
import { makeJob } from "./makeJob.ts";
import { factsOfForm } from "./namedImageFacts.ts";
import { findImage, type NamedImage } from "./openImage.ts";
import { runJob } from "./runJob.ts";
import { openSoundRepository } from "./workspace.ts";

/** A command line of `test`. */
export interface TestRequest {
  readonly directory: string;
  /** Containers, or layouts. */
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** Empty: every runtime that works here. */
  readonly runtimes: readonly RuntimeName[];
  /** Run the tests as jobs of this site instead. */
  readonly slurm:
    | { readonly site: string; readonly mpi: string | undefined; readonly location: string | undefined }
    | undefined;
  /** How to start this very program. */
  readonly self: readonly [string, ...string[]];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** How one test went. */
export interface TestResult {
  readonly container: string;
  readonly test: string;
  /** A runtime, or `job at SITE`. */
  readonly where: string;
  readonly passed: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
}

/**
 * Runs the tests of containers, one after the other.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when an image is not built, `DEFINITION_INVALID` (a `test.yaml`),
 *   `RUNTIME_MISSING` (one that was named)
 */
export async function testContainers(
  request: TestRequest,
  told: (result: TestResult) => void = () => {},
): Promise<readonly TestResult[]> {
  const repository = await openSoundRepository(request.directory);
  const runtimes = request.slurm === undefined ? await runtimesOf(request) : [];
  const results: TestResult[] = [];
  for (const name of request.names) {
    const image = await findImage(name, repository, request);
    if (image.layout === undefined || image.form === undefined)
      throw new SpacktainersError("NOT_FOUND", `${image.name} is not built yet`, {
        hint: `spacktainers build ${image.name}`,
      });
    const { emit, signal } = request;
    const { arch } = request;
    const { registries } = repository.configuration;
    const { facts } = await factsOfForm(image.form, { arch, registries, emit, signal });
    const tests = planTests(facts, await ownTests(image));
    const add = (test: PlannedTest, where: string, reasons: readonly string[]): void => {
      const result = { container: image.name, test: test.name, where, passed: reasons.length === 0, reasons };
      results.push(result);
      told(result);
    };
    for (const test of tests) {
      if (request.slurm !== undefined) {
        add(test, `job at ${request.slurm.site}`, await runAsJob(test, image.layout, request));
        continue;
      }
      for (const runtime of runtimes) {
        if (signal.aborted) throw signal.reason;
        add(test, runtime, await runHere(test, image.layout, runtime, facts.mpiexec, request));
      }
    }
  }
  return results;
}

async function ownTests(image: NamedImage): Promise<TestsFile | undefined> {
  const path = image.container?.tests;
  if (path === undefined) return undefined;
  const { tests, problems } = readTestsFile(await readTextFile(path, yamlLimits.bytes), path);
  if (tests === undefined) throw new SpacktainersErrors(problems.errors);
  return tests;
}

async function runtimesOf(request: TestRequest): Promise<readonly RuntimeName[]> {
  if (request.runtimes.length > 0) return request.runtimes;
  const host = await readHostFacts();
  const works = host.runtimes.flatMap(({ name, trouble }) =>
    trouble === undefined ? [name as RuntimeName] : [],
  );
  return host.namespaces.trouble === undefined ? [...works, "namespace"] : works;
}

/** @returns why it failed */
async function runHere(
  test: PlannedTest,
  layout: string,
  runtime: RuntimeName,
  mpiexec: string | undefined,
  request: TestRequest,
): Promise<readonly string[]> {
  if (test.ranks > 0 && mpiexec === undefined)
    return ["there is no mpiexec in the image to start ranks with"];
  const ranks = test.ranks > 0 ? [mpiexec ?? "mpiexec", "-n", String(test.ranks)] : [];
  const [program, ...args] = request.self;
  const variables = Object.entries(test.environment).flatMap(([name, value]) => [
    "--env",
    `${name}=${value}`,
  ]);
  const result = await runTool(
    [
      program,
      ...args,
      ...["exec", "--quiet", "--with", runtime, "--mpi", "none", ...variables, layout, "--"],
      ...ranks,
      ...test.command,
    ],
    { cwd: request.directory, timeout: test.timeout * 1000, signal: request.signal },
  );
  if (result.status === -1) return [`it was stopped after ${test.timeout} seconds`];
  return judge(test, result);
}

/** @returns why it failed */
async function runAsJob(test: PlannedTest, layout: string, request: TestRequest): Promise<readonly string[]> {
  const { slurm } = request;
  if (slurm === undefined) return [];
  const ranks = Math.max(1, test.ranks);
  try {
    const made = await makeJob({
      directory: request.directory,
      image: layout,
      arch: request.arch,
      site: slurm.site,
      command: test.command,
      resources: {
        nodes: test.nodes,
        tasksPerNode: Math.ceil(ranks / test.nodes),
        cpusPerTask: undefined,
        exclusive: false,
        time: slurmTime(test.timeout),
      },
      name: "spacktainers-test",
      binds: [],
      workdir: "/",
      env: Object.entries(test.environment).map(([name, value]) => `${name}=${value}`),
      location: slurm.location,
      mpi: slurm.mpi,
      hostMpi: undefined,
      gpu: undefined,
      log: undefined,
      emit: request.emit,
      signal: request.signal,
    });
    const wrong = made.findings.filter(({ severity }) => severity === "error");
    if (wrong.length > 0) return wrong.map(({ message }) => `not submitted: ${message}`);
    const decoder = new TextDecoder();
    let output = "";
    const outcome = await runJob({
      script: made.script,
      directory: request.directory,
      cancelOnInterrupt: true,
      output: (bytes) => {
        output += decoder.decode(bytes, { stream: true });
      },
      emit: request.emit,
      signal: request.signal,
    });
    if (request.signal.aborted) throw request.signal.reason;
    return judge(test, { status: outcome.status, stdout: output, stderr: "" }, true);
  } catch (error) {
    if (request.signal.aborted) throw error;
    const { code, message } = asSpacktainersError(error);
    return [`${code}: ${message}`];
  }
}

function slurmTime(seconds: number): string {
  const two = (number: number): string => String(Math.floor(number)).padStart(2, "0");
  const limit = Math.max(60, seconds);
  return `${two(limit / 3600)}:${two((limit / 60) % 60)}:${two(limit % 60)}`;
}
