/** `ci run`: the committed workflow, carried out on this machine. */
import { chmod, cp, lstat, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  asText,
  type ExpressionContext,
  type ExpressionValue,
  githubConditionHolds,
  interpolate,
} from "../../ci/githubExpression.ts";
import { githubFiles } from "../../ci/githubWorkflow.ts";
import { pipelineSecrets } from "../../ci/secrets.ts";
import {
  needsOf,
  orderedJobs,
  parseWorkflow,
  type Workflow,
  type WorkflowJob,
} from "../../ci/workflowFile.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { hostPath } from "../../util/hostPath.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { removeTree } from "../../util/removeTree.ts";
import { shellWord } from "../../util/shellQuote.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { lastLine, runTool } from "../../util/tool.ts";
import { earlierCommit, filesChangedSince, openGitFolder } from "./gitHistory.ts";
import { runLocalJob } from "./localSteps.ts";

const longestWorkflow = 1 << 20;

/** A command line of `ci run`. */
export interface RunPipelineRequest {
  readonly directory: string;
  readonly event: "push" | "pull_request" | "workflow_dispatch" | "schedule";
  /** Of a pull request. */
  readonly labels: readonly string[];
  /** The commit before a push, or that a pull request is to be merged into. */
  readonly base: string;
  /** By hand: what is asked for. */
  readonly container: string;
  readonly baseImages: boolean;
  readonly environment: string | undefined;
  /** Folder for reports and artefacts; undefined: they are thrown away. */
  readonly keep: string | undefined;
  /** Most minutes of a step. */
  readonly minutes: number | undefined;
  /** Command line that starts this program. */
  readonly self: readonly string[];
  onLine(text: string): void;
  readonly signal: AbortSignal;
}

/** What became of a job, or of one of its matrix. */
export interface PipelineJobOutcome {
  readonly job: string;
  /** For people. */
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  /** Markdown. */
  readonly summary: string;
}

interface NeededJob {
  readonly result: "success" | "failure" | "skipped";
  readonly outputs: Readonly<Record<string, string>>;
  /** Whether this one, or one that it needs, failed. */
  readonly failedBefore: boolean;
}

/**
 * Carries out the jobs of the committed workflow, one after the other, each in a copy of the working tree.
 *
 * @throws SpacktainersError NOT_FOUND without a workflow; USAGE for an event that it does not start at; NOT_SUPPORTED, INTERRUPTED
 */
export async function runPipeline(
  request: RunPipelineRequest,
): Promise<{ readonly jobs: readonly PipelineJobOutcome[]; readonly failed: boolean }> {
  const { signal, event } = request;
  const { root, configuration } = await openSoundRepository(request.directory);
  const file = join(root, event === "schedule" ? githubFiles.rebase : githubFiles.containers);
  const workflow = await readWorkflow(file);
  if (!Object.hasOwn(workflow.on, event))
    throw new SpacktainersError("USAGE", `the workflow does not start at ${event}`, { place: { file } });
  const git = await openGitFolder(root, signal);
  const needsBase = event === "push" || event === "pull_request";
  const base = needsBase ? ((await earlierCommit(git, request.base, signal)) ?? "0".repeat(40)) : "";
  const secrets = pipelineSecrets(configuration);
  const given = (kind: "secret" | "variable"): Record<string, string> =>
    Object.fromEntries(
      secrets.flatMap((one) =>
        one.kind === kind ? [[one.name, hostEnvironment()[one.name] ?? ""] as const] : [],
      ),
    );
  const work = await mkdtemp(join(tmpdir(), "spacktainers-ci-"));
  const artefacts = request.keep ?? join(work, "artefacts");
  try {
    await makeDirectory(artefacts);
    const path = await makeOwnProgram(join(work, "bin"), request.self);
    const values: Record<string, ExpressionValue> = {
      github: githubContext(request, base),
      inputs:
        event === "workflow_dispatch"
          ? {
              container: request.container,
              base: request.baseImages,
              environment: request.environment ?? configuration.ci.pullRequests,
            }
          : {},
      vars: given("variable"),
      secrets: given("secret"),
    };
    const env: NodeJS.ProcessEnv = { ...hostEnvironment(), PATH: `${path}:${hostPath()}` };
    for (const { name, kind } of secrets) if (kind === "secret") delete env[name];
    for (const [name, value] of Object.entries(workflow.env ?? {})) env[name] = String(value);
    const finished = new Map<string, NeededJob>();
    const outcomes: PipelineJobOutcome[] = [];
    for (const [id, job] of orderedJobs(workflow, file)) {
      const needs = needsOf(job).map((need) => [need, finished.get(need)] as const);
      const context = jobContext(values, needs);
      const failedBefore = needs.some(([, need]) => need?.failedBefore === true);
      if (!githubConditionHolds(job.if === undefined ? undefined : String(job.if), context)) {
        outcomes.push({
          job: id,
          name: job.name?.replace(/: \$\{\{.*/, "") ?? id,
          state: "skipped",
          summary: "",
        });
        finished.set(id, { result: "skipped", outputs: {}, failedBefore });
        continue;
      }
      let failed = false;
      let outputs: Readonly<Record<string, string>> = {};
      for (const [index, matrix] of matrixOf(job, context).entries()) {
        const own = { ...context.values, matrix };
        const name = asText(interpolate(job.name ?? id, { ...context, values: own }));
        request.onLine(name);
        const result = await runLocalJob({
          job,
          values: own,
          env,
          folder: join(work, "jobs", `${id}-${index + 1}`),
          artefacts,
          checkOut: (into) => copyWorkingTree(git.top, into, join(work, "jobs"), signal),
          secrets: Object.values(given("secret")),
          timeout: request.minutes === undefined ? undefined : request.minutes * 60_000,
          signal,
          onLine: request.onLine,
        });
        outputs = { ...outputs, ...result.outputs };
        failed ||= result.failed;
        outcomes.push({ job: id, name, state: result.failed ? "failed" : "passed", summary: result.summary });
        await removeTree(join(work, "jobs", `${id}-${index + 1}`));
      }
      finished.set(id, {
        result: failed ? "failure" : "success",
        outputs,
        failedBefore: failed || failedBefore,
      });
    }
    if (request.keep !== undefined)
      await writeFile(join(request.keep, "summary.md"), outcomes.map(({ summary }) => summary).join(""));
    return { jobs: outcomes, failed: outcomes.some(({ state }) => state === "failed") };
  } finally {
    await removeTree(work);
  }
}

async function readWorkflow(file: string): Promise<Workflow> {
  const text = await readTextFile(file, longestWorkflow).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new SpacktainersError("NOT_FOUND", "there is no such workflow", {
      place: { file },
      hint: "`spacktainers ci github` writes it",
      cause: error,
    });
  });
  return parseWorkflow(text, file);
}

/** A folder with a program that is this one, to be put on the search path. */
export async function makeOwnProgram(folder: string, self: readonly string[]): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = join(folder, "spacktainers");
  await writeFile(program, `#!/bin/sh\nexec ${self.map(shellWord).join(" ")} "$@"\n`);
  await chmod(program, 0o755);
  return folder;
}

function githubContext({ event, labels }: RunPipelineRequest, base: string): ExpressionValue {
  return {
    event_name: event,
    ref: "refs/heads/local",
    ref_name: "local",
    run_id: "1",
    run_attempt: "1",
    repository: "local/repository",
    token: "",
    event: {
      before: event === "push" ? base : "",
      // Nothing is said to anybody: the comment is for a pull request that is just opened.
      action: "synchronize",
      ...(event === "pull_request"
        ? {
            pull_request: {
              number: 1,
              base: { sha: base },
              head: { repo: { fork: false } },
              labels: labels.map((name) => ({ name })),
            },
          }
        : {}),
    },
  };
}

function jobContext(
  values: Readonly<Record<string, ExpressionValue>>,
  needs: readonly (readonly [string, NeededJob | undefined])[],
): ExpressionContext {
  return {
    values: {
      ...values,
      needs: Object.fromEntries(
        needs.map(([id, need]) => [id, { result: need?.result ?? "skipped", outputs: { ...need?.outputs } }]),
      ),
    },
    status: {
      success: needs.every(([, need]) => need?.result === "success"),
      failure: needs.some(([, need]) => need?.failedBefore === true),
      cancelled: false,
    },
  };
}

/** The combinations of a matrix; one without values where there is none. */
function matrixOf(
  { strategy }: WorkflowJob,
  context: ExpressionContext,
): readonly { readonly [key: string]: ExpressionValue }[] {
  let combinations: { readonly [key: string]: ExpressionValue }[] = [{}];
  for (const [key, written] of Object.entries(strategy?.matrix ?? {})) {
    const values: unknown = typeof written === "string" ? interpolate(written, context) : written;
    const list = Array.isArray(values) ? (values as readonly ExpressionValue[]) : [];
    combinations = combinations.flatMap((one) => list.map((value) => ({ ...one, [key]: value })));
  }
  return combinations;
}

/** What is in the working tree, committed or not, as a clone of its own with all of the history. */
export async function copyWorkingTree(
  top: string,
  into: string,
  work: string,
  signal: AbortSignal,
): Promise<void> {
  const clone = await runTool(["git", "clone", "--quiet", "--shared", top, into], { signal });
  if (clone.status !== 0)
    throw new SpacktainersError("PROCESS_FAILED", `git clone failed: ${lastLine(clone.stderr)}`, {
      place: { file: top },
    });
  for (const path of await filesChangedSince({ top, prefix: "" }, "HEAD", work, signal)) {
    const from = join(top, path);
    const to = join(into, path);
    // It was removed, or is a repository of its own.
    if ((await lstat(from).catch(() => undefined)) === undefined) await removeTree(to);
    else {
      await makeDirectory(dirname(to));
      await cp(from, to, { recursive: true, verbatimSymlinks: true });
    }
  }
}
