/** From a command line of `test` to results: smoke tests of containers on the runtimes of this machine, or as Slurm jobs. */
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { type Repository, readTextFile } from "../../definitions/repository.ts";
import { readTestsFile } from "../../definitions/testsFile.ts";
import type { TestsFile } from "../../definitions/testsSchema.ts";
import { readHostProfile } from "../../hpc/hostProfile.ts";
import type { ImageProfile } from "../../hpc/imageProfile.ts";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import { judge, type PlannedTest, planTests } from "../../hpc/smokeTests.ts";
import {
  builtNames,
  findImage,
  formText,
  type ImageSubject,
  layoutOf,
} from "../../pipeline/images/findImage.ts";
import { openSubject } from "../../pipeline/images/openSubject.ts";
import { forEachOf, outcomeErrors, resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { type RuntimeName, triedRuntimes } from "../../run/types.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import {
  asSpacktainersError,
  oneError,
  type SpacktainersError,
  SpacktainersErrors,
} from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { makeJob } from "../job/makeJob.ts";
import { runJob } from "../job/runJob.ts";
import { runTest } from "./runTest.ts";

/** A command line of `test`. */
export interface TestRequest {
  readonly directory: string;
  /** Images in any form that `findImage` knows; none: all containers that are built here. */
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** Empty: every runtime that works here. */
  readonly runtimes: readonly RuntimeName[];
  /** Run the tests as jobs of this site instead. */
  readonly slurm:
    | { readonly site: string; readonly mpi: string | undefined; readonly location: string | undefined }
    | undefined;
  /** The first container that fails or cannot be tested stops the others. */
  readonly failFast: boolean;
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

/** What became of all of them. */
export interface TestedContainers {
  readonly results: readonly TestResult[];
  /** Why containers could not be tested. */
  readonly errors: readonly SpacktainersError[];
  /** 0 when all passed; else of the first container that did not. */
  readonly status: number;
}

/**
 * Runs the tests of containers, one after the other. One that cannot be tested does not keep the others from it: its image is not
 * built (`NOT_FOUND`), there is nothing of that name (`UNKNOWN_CONTAINER`), its tests are wrong (`DEFINITION_INVALID`), a runtime
 * is missing (`RUNTIME_MISSING`).
 *
 * @throws {SpacktainersError} problems of the configuration; `INTERRUPTED`
 */
export async function testContainers(
  request: TestRequest,
  told: (result: TestResult) => void = () => {},
): Promise<TestedContainers> {
  const { signal, failFast } = request;
  const repository = await openSoundRepository(request.directory);
  const here = request.slurm === undefined ? await runtimesOf(request) : [];
  const events = nameEvents(request.emit);
  const names = request.names.length > 0 ? request.names : await builtNames(repository, request);
  const outcomes = await forEachOf(
    names,
    (name) => name,
    { events, signal, failFast, failed: someFailed },
    (name) => testContainer(name, repository, here, { ...request, emit: events.emit }, told),
  );
  const first = outcomes.find(
    (one) => one.state === "failed" || (one.state === "done" && someFailed(one.result)),
  );
  return {
    results: resultsOf(outcomes).flat(),
    errors: outcomeErrors(outcomes),
    status: first === undefined ? 0 : first.state === "failed" ? oneError(first.errors).exitStatus : 1,
  };
}

function someFailed(results: readonly TestResult[]): boolean {
  return results.some(({ passed }) => !passed);
}

async function testContainer(
  name: string,
  repository: Repository,
  here: readonly RuntimeName[],
  request: TestRequest,
  told: (result: TestResult) => void,
): Promise<readonly TestResult[]> {
  const subject = await findImage(name, repository, request);
  const { facts, where } = await readSubject(subject, repository, request);
  const runtimes = runtimesFor(subject, here, request);
  const results: TestResult[] = [];
  const add = (test: PlannedTest, where: string, reasons: readonly string[]): void => {
    const result = { container: subject.name, test: test.name, where, passed: reasons.length === 0, reasons };
    results.push(result);
    told(result);
  };
  for (const test of planTests(facts, await ownTests(subject))) {
    if (request.slurm !== undefined) {
      add(test, `job at ${request.slurm.site}`, await runAsJob(test, where, request));
      continue;
    }
    for (const runtime of runtimes) {
      stopIfAborted(request.signal);
      add(test, runtime, await runTest(test, where, runtime, facts.mpiexec, request));
    }
  }
  return results;
}

/** The facts of an image, and the words by which another command finds the very same. */
async function readSubject(
  subject: ImageSubject,
  { configuration }: Repository,
  { arch, emit, signal }: TestRequest,
): Promise<{ readonly facts: ImageProfile; readonly where: string }> {
  const { registries } = configuration;
  const image = await openSubject(subject, { arch, registries, emit, signal });
  try {
    const facts = await readImageProfile(image, { cache: cacheHome(), emit, signal });
    const said = subject.form === undefined ? subject.name : formText(subject.form);
    return { facts, where: image.reference ?? layoutOf(subject) ?? said };
  } finally {
    await image.close();
  }
}

/** Files of Apptainer's own are for Apptainer and its sibling, where these are here; else for whatever is. */
function runtimesFor(
  { form }: ImageSubject,
  here: readonly RuntimeName[],
  { runtimes }: TestRequest,
): readonly RuntimeName[] {
  if (form?.kind !== "local" || runtimes.length > 0) return here;
  const own = here.filter((name) => name === "apptainer" || name === "singularity");
  return own.length > 0 ? own : here;
}

async function ownTests(image: ImageSubject): Promise<TestsFile | undefined> {
  const path = image.container?.tests;
  if (path === undefined) return undefined;
  const { tests, problems } = readTestsFile(await readTextFile(path, yamlLimits.bytes), path);
  if (tests === undefined) throw new SpacktainersErrors(problems.errors);
  return tests;
}

async function runtimesOf(request: TestRequest): Promise<readonly RuntimeName[]> {
  if (request.runtimes.length > 0) return request.runtimes;
  const host = await readHostProfile();
  const works = host.runtimes.flatMap(({ name, trouble }) =>
    trouble === undefined ? triedRuntimes.filter((one) => one === name) : [],
  );
  return host.namespaces.trouble === undefined ? [...works, "namespace"] : works;
}

/** @returns why it failed */
async function runAsJob(test: PlannedTest, image: string, request: TestRequest): Promise<readonly string[]> {
  const { slurm } = request;
  if (slurm === undefined) return [];
  const ranks = Math.max(1, test.ranks);
  try {
    const made = await makeJob({
      directory: request.directory,
      image,
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
      sbatch: [],
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
