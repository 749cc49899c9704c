/** `ci run --host gitlab`: the committed pipeline of GitLab, and its children, carried out on this machine. */
import { cp, mkdir, mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type GitlabFile,
  type GitlabJob,
  parseGitlabFile,
  rulingOf,
  withVariables,
} from "../../ci/gitlabFile.ts";
import { gitlabFile } from "../../ci/gitlabPipeline.ts";
import type { RuleVariables } from "../../ci/gitlabRules.ts";
import { installCommands } from "../../ci/pipeline.ts";
import { pipelineSecrets } from "../../ci/secrets.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { hostPath } from "../../util/hostPath.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { removeTree } from "../../util/removeTree.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { toolVersion } from "../../util/toolVersion.ts";
import { earlierCommit, openGitFolder } from "./gitHistory.ts";
import { runBash } from "./localSteps.ts";
import {
  copyWorkingTree,
  makeOwnProgram,
  type PipelineJobOutcome,
  type RunPipelineRequest,
} from "./runPipeline.ts";

const longestPipeline = 16 << 20;

/** What all jobs of a run have. */
interface GitlabRun {
  readonly request: RunPipelineRequest;
  readonly top: string;
  readonly work: string;
  readonly artefacts: string;
  readonly env: NodeJS.ProcessEnv;
  readonly secrets: readonly string[];
  /** Lines that set a runner up. */
  readonly leftOut: ReadonlySet<string>;
  readonly outcomes: PipelineJobOutcome[];
}

/**
 * Carries out the jobs of the committed pipeline, one after the other, each in a copy of the working tree; then those of the child
 * pipelines that they make.
 *
 * @throws SpacktainersError NOT_FOUND without a pipeline; USAGE when its rules start nothing; INTERRUPTED
 */
export async function runGitlab(
  request: RunPipelineRequest,
): Promise<{ readonly jobs: readonly PipelineJobOutcome[]; readonly failed: boolean }> {
  const { signal, event } = request;
  const { root, configuration } = await openSoundRepository(request.directory);
  const file = join(root, gitlabFile);
  const text = await readTextFile(file, longestPipeline).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SpacktainersError("NOT_FOUND", "there is no pipeline", {
      place: { file },
      hint: "`spacktainers ci gitlab` writes it",
      cause: error,
    });
  });
  const pipeline = parseGitlabFile(text, file);
  const git = await openGitFolder(root, signal);
  const needsBase = event === "push" || event === "pull_request";
  const base = needsBase ? ((await earlierCommit(git, request.base, signal)) ?? "0".repeat(40)) : "";
  const given = withVariables(withVariables({}, pipeline.variables), byHand(request));
  const known = { ...given, ...predefined(request, base, configuration.ci.branch) };
  const ruling = rulingOf(pipeline.workflow?.rules, known);
  if (ruling === undefined)
    throw new SpacktainersError("USAGE", `the pipeline does not start at ${event}`, { place: { file } });
  const secrets = pipelineSecrets(configuration).filter(({ kind }) => kind === "secret");
  const work = await mkdtemp(join(tmpdir(), "spacktainers-ci-"));
  try {
    const artefacts = request.keep ?? join(work, "artefacts");
    await makeDirectory(artefacts);
    const path = await makeOwnProgram(join(work, "bin"), request.self);
    const run: GitlabRun = {
      request,
      top: git.top,
      work,
      artefacts,
      env: { ...hostEnvironment(), PATH: `${path}:${hostPath()}`, GITHUB_ACTIONS: "" },
      secrets: secrets.flatMap(({ name }) => hostEnvironment()[name] ?? []),
      leftOut: new Set([
        ...installCommands(configuration, toolVersion()),
        'export XDG_CACHE_HOME="$CI_PROJECT_DIR/.cache"',
      ]),
      outcomes: [],
    };
    await runJobs(pipeline, withVariables(known, ruling.variables), "", run);
    return { jobs: run.outcomes, failed: run.outcomes.some(({ state }) => state === "failed") };
  } finally {
    await removeTree(work);
  }
}

function byHand({ event, container, baseImages, environment }: RunPipelineRequest): GitlabJob["variables"] {
  if (event !== "workflow_dispatch") return {};
  return {
    CONTAINER: container === "all" ? "" : container,
    BASES: baseImages ? "always" : "never",
    ...(environment === undefined ? {} : { ENVIRONMENT: environment }),
  };
}

function predefined({ event, labels }: RunPipelineRequest, base: string, branch: string): RuleVariables {
  const sources = {
    push: "push",
    pull_request: "merge_request_event",
    workflow_dispatch: "web",
    schedule: "schedule",
  };
  return {
    CI_PIPELINE_SOURCE: sources[event],
    CI_PIPELINE_ID: "1",
    ...(event === "pull_request"
      ? { CI_MERGE_REQUEST_LABELS: labels.join(","), CI_MERGE_REQUEST_DIFF_BASE_SHA: base }
      : { CI_COMMIT_BRANCH: branch, CI_COMMIT_BEFORE_SHA: base }),
  };
}

async function runJobs(
  pipeline: GitlabFile,
  variables: RuleVariables,
  parent: string,
  run: GitlabRun,
): Promise<boolean> {
  const states = new Map<string, PipelineJobOutcome["state"]>();
  const own = parent === "" ? "" : `${parent}--`;
  const finish = (name: string, state: PipelineJobOutcome["state"], summary = ""): void => {
    states.set(name, state);
    run.outcomes.push({ job: name, name, state, summary });
  };
  for (const [name, job] of inOrder(pipeline)) {
    const ruling = rulingOf(job.rules, variables);
    if (ruling === undefined) {
      finish(name, "skipped");
      continue;
    }
    const needs = neededOf(name, job, pipeline);
    // What its rules left out is not waited for.
    if (
      needs.some((need) => states.get(need) === "failed") ||
      (job.needs !== undefined && needs.some((need) => states.get(need) === "skipped"))
    ) {
      finish(name, "skipped");
      continue;
    }
    if (job.trigger !== undefined) {
      const results: boolean[] = [];
      for (const { artifact, job: from } of job.trigger.include) {
        const file = join(run.artefacts, (own + from).replaceAll("/", "_"), artifact);
        const child = parseGitlabFile(await readFile(file, "utf8"), file);
        results.push(await runJobs(child, childVariables(variables, child), name, run));
      }
      finish(name, results.every((passed) => passed) ? "passed" : "failed");
      continue;
    }
    const fromParent = (job.needs ?? []).flatMap((need) => (typeof need === "string" ? [] : [need.job]));
    const taken = [...fromParent, ...needs.map((need) => own + need)];
    const values = withVariables(withVariables(variables, ruling.variables), job.variables);
    const { passed, summary } = await runJob(name, job, pipeline, values, taken, own, run);
    finish(name, passed ? "passed" : "failed", summary);
  }
  return [...states.values()].every((state) => state !== "failed");
}

/** A child has what is predefined, and its own: no variables of its parent. */
function childVariables(variables: RuleVariables, child: GitlabFile): RuleVariables {
  const predefinedOnes = Object.entries(variables).filter(([name]) => name.startsWith("CI_"));
  return withVariables(Object.fromEntries(predefinedOnes), child.variables);
}

/** Jobs, each after those that it needs; otherwise by stage. */
function inOrder({ jobs }: GitlabFile): readonly (readonly [string, GitlabJob])[] {
  const order = new Map<string, GitlabJob>();
  const visit = (name: string, above: readonly string[]): void => {
    const job = jobs.get(name);
    if (job === undefined || order.has(name) || above.includes(name)) return;
    for (const need of job.needs ?? []) if (typeof need === "string") visit(need, [...above, name]);
    order.set(name, job);
  };
  for (const name of jobs.keys()) visit(name, []);
  return [...order];
}

function neededOf(name: string, job: GitlabJob, { jobs, stages }: GitlabFile): readonly string[] {
  if (job.needs !== undefined) return job.needs.filter((need) => typeof need === "string");
  const stage = stages.indexOf(job.stage);
  return [...jobs].flatMap(([other, { stage: its }]) =>
    other !== name && stages.indexOf(its) < stage ? [other] : [],
  );
}

async function runJob(
  name: string,
  job: GitlabJob,
  pipeline: GitlabFile,
  variables: RuleVariables,
  taken: readonly string[],
  own: string,
  run: GitlabRun,
): Promise<{ readonly passed: boolean; readonly summary: string }> {
  const { request, work, artefacts } = run;
  request.onLine(name);
  const folder = join(work, "job");
  const workspace = join(folder, "workspace");
  await removeTree(folder);
  await mkdir(folder, { recursive: true });
  await copyWorkingTree(run.top, workspace, folder, request.signal);
  for (const from of taken) {
    const path = join(artefacts, from.replaceAll("/", "_"));
    if (await isThere(path)) await cp(path, workspace, { recursive: true, verbatimSymlinks: true });
  }
  // Only its own is to be kept with it.
  await removeTree(join(workspace, "report"));
  const before = (job.before_script ?? pipeline.default?.before_script ?? []).filter(
    (line) => !run.leftOut.has(line),
  );
  const file = join(folder, "job.sh");
  await writeFile(file, [...before, ...(job.script ?? [])].join("\n"));
  const env = { ...run.env, ...variables, CI: "true", CI_PROJECT_DIR: workspace };
  const local = {
    signal: request.signal,
    secrets: run.secrets,
    timeout: request.minutes === undefined ? undefined : request.minutes * 60_000,
    onLine: request.onLine,
  };
  const status = await runBash(local, file, env, workspace);
  if (status !== 0) request.onLine(`    failed with status ${status}`);
  for (const path of job.artifacts?.paths ?? [])
    if (await isThere(join(workspace, path)))
      await cp(join(workspace, path), join(artefacts, (own + name).replaceAll("/", "_"), path), {
        recursive: true,
        verbatimSymlinks: true,
      });
  const summary = await readFile(join(workspace, "report/summary.md"), "utf8").catch(() => "");
  await removeTree(folder);
  await removeTree(`${workspace}.tmp`);
  return { passed: status === 0, summary };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
