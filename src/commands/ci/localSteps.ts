/** The steps of one job of a workflow, carried out on this machine. */
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  asText,
  type ExpressionContext,
  type ExpressionValue,
  githubConditionHolds,
  interpolate,
} from "../../ci/githubExpression.ts";
import type { WorkflowJob, WorkflowStep } from "../../ci/workflowFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { processIsAlive } from "../../util/processes.ts";
import { removeTree } from "../../util/removeTree.ts";

/** Where a job runs. */
export interface LocalJob {
  readonly job: WorkflowJob;
  /** Contexts of its expressions; `env` and `steps` are added. */
  readonly values: Readonly<Record<string, ExpressionValue>>;
  /** Variables of the workflow, of the runner, and of who started it. */
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the job's own, empty. */
  readonly folder: string;
  /** Folder of the run's artefacts. */
  readonly artefacts: string;
  /** Fills the folder of the job with the repository. */
  checkOut(into: string): Promise<void>;
  /** Texts that are not to be seen. */
  readonly secrets: readonly string[];
  /** Most milliseconds of a step; undefined: any. */
  readonly timeout: number | undefined;
  readonly signal: AbortSignal;
  onLine(text: string): void;
}

/** How a job ended. */
export interface LocalJobResult {
  readonly failed: boolean;
  readonly outputs: Readonly<Record<string, string>>;
  /** What its steps wrote for the summary of the run. */
  readonly summary: string;
}

/** Actions that make a runner what this machine is, and that keep what this machine keeps anyway. */
const leftOut = ["actions/setup-node", "actions/cache", "aws-actions/configure-aws-credentials"];

/**
 * Carries out the steps of a job.
 *
 * @throws SpacktainersError NOT_SUPPORTED for an action that is not known here; DEFINITION_INVALID; INTERRUPTED
 */
export async function runLocalJob(local: LocalJob): Promise<LocalJobResult> {
  const { job, folder, signal } = local;
  const workspace = join(folder, "workspace");
  const files = {
    env: join(folder, "env"),
    output: join(folder, "output"),
    summary: join(folder, "summary.md"),
  };
  await mkdir(workspace, { recursive: true });
  await mkdir(join(folder, "temp"), { recursive: true });
  await writeFile(files.summary, "");
  const env: NodeJS.ProcessEnv = {
    ...local.env,
    GITHUB_ACTIONS: "true",
    GITHUB_WORKSPACE: workspace,
    GITHUB_ENV: files.env,
    GITHUB_OUTPUT: files.output,
    GITHUB_STEP_SUMMARY: files.summary,
    RUNNER_TEMP: join(folder, "temp"),
  };
  const added: Record<string, string> = {};
  const steps: Record<string, { outputs: Record<string, string> }> = {};
  let failed = false;
  const context = (): ExpressionContext => ({
    values: {
      ...local.values,
      runner: { temp: join(folder, "temp"), os: "Linux" },
      env: { ...added },
      steps,
    },
    status: { success: !failed, failure: failed, cancelled: false },
  });
  Object.assign(added, interpolated(job.env ?? {}, context()));
  for (const [index, step] of job.steps.entries()) {
    if (signal.aborted) throw new SpacktainersError("INTERRUPTED", "interrupted while running a pipeline");
    if (!githubConditionHolds(step.if === undefined ? undefined : String(step.if), context())) continue;
    await writeFile(files.env, "");
    await writeFile(files.output, "");
    const own = interpolated(step.env ?? {}, context());
    const name = step.name ?? step.uses ?? `step ${index + 1}`;
    const passed =
      step.run !== undefined
        ? await runScript(
            local,
            name,
            asText(interpolate(step.run, context())),
            { ...env, ...added, ...own },
            workspace,
          )
        : await useAction(local, step, interpolated(step.with ?? {}, context()), workspace);
    Object.assign(added, parseVariables(await readFile(files.env, "utf8")));
    if (step.id !== undefined)
      steps[step.id] = { outputs: parseVariables(await readFile(files.output, "utf8")) };
    if (!passed) failed = true;
  }
  return {
    failed,
    outputs: interpolated(job.outputs ?? {}, context()),
    summary: await readFile(files.summary, "utf8"),
  };
}

/** The lines of a file of variables: `NAME=VALUE`, or `NAME<<END` and lines up to `END`. */
export function parseVariables(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const [, name, end] = /^([A-Za-z_][\w-]*)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && end !== undefined) {
      const last = lines.indexOf(end, at + 1);
      if (last < 0) break;
      found[name] = lines.slice(at + 1, last).join("\n");
      at = last;
      continue;
    }
    const equals = line.indexOf("=");
    if (equals > 0) found[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return found;
}

function interpolated(
  values: Readonly<Record<string, string | number | boolean>>,
  context: ExpressionContext,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, asText(interpolate(String(value), context))]),
  );
}

async function runScript(
  local: LocalJob,
  name: string,
  script: string,
  env: NodeJS.ProcessEnv,
  workspace: string,
): Promise<boolean> {
  // Who runs the pipeline here has the program already.
  if (name === "Install") {
    local.onLine(`  ${name}: left out, this program is used`);
    return true;
  }
  local.onLine(`  ${name}`);
  const file = join(local.folder, "step.sh");
  await writeFile(file, script);
  const status = await runBash(local, file, env, workspace);
  if (status !== 0) local.onLine(`    failed with status ${status}`);
  return status === 0;
}

/**
 * Runs a script by bash as GitHub does, in a group of its own, of which nothing is left when it ends.
 *
 * @returns its status; -1 when a signal ended it
 * @throws SpacktainersError INTERRUPTED
 */
export function runBash(
  local: Pick<LocalJob, "signal" | "secrets" | "timeout" | "onLine">,
  file: string,
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<number> {
  const { signal, secrets, timeout } = local;
  return new Promise((done, fail) => {
    const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", file], {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const hidden = secrets.filter((secret) => secret.length >= 4);
    const show = (line: string): void => {
      let text = line;
      for (const secret of hidden) text = text.replaceAll(secret, "***");
      local.onLine(`    ${text}`);
    };
    let rest = "";
    const read = (chunk: string): void => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) show(line);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    const end = (name: NodeJS.Signals): void => {
      if (child.pid === undefined || !processIsAlive(child.pid)) return;
      try {
        process.kill(-child.pid, name);
      } catch {
        // It has ended by itself.
      }
    };
    const stop = (): void => {
      end("SIGTERM");
      setTimeout(() => end("SIGKILL"), 3000).unref();
    };
    signal.addEventListener("abort", stop, { once: true });
    const timer = timeout === undefined ? undefined : setTimeout(stop, timeout);
    child.once("error", fail);
    child.once("close", (code) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (rest !== "") show(rest);
      if (signal.aborted) fail(new SpacktainersError("INTERRUPTED", "interrupted while running a pipeline"));
      else done(code ?? -1);
    });
  });
}

async function useAction(
  local: LocalJob,
  step: WorkflowStep,
  given: Readonly<Record<string, string>>,
  workspace: string,
): Promise<boolean> {
  const action = (step.uses ?? "").replace(/@.*$/, "");
  if (leftOut.includes(action)) {
    local.onLine(`  ${step.uses}: left out`);
    return true;
  }
  if (action === "actions/checkout") {
    local.onLine(`  ${step.uses}`);
    await local.checkOut(workspace);
    return true;
  }
  const artefact = join(local.artefacts, (given.name ?? "artifact").replaceAll("/", "_"));
  const path = resolve(workspace, given.path ?? ".");
  if (action === "actions/upload-artifact") {
    if ((await stat(path).catch(() => undefined)) === undefined)
      return given["if-no-files-found"] !== "error";
    await removeTree(artefact);
    await cp(path, artefact, { recursive: true, verbatimSymlinks: true });
    local.onLine(`  kept ${given.name}`);
    return true;
  }
  if (action === "actions/download-artifact") {
    if ((await stat(artefact).catch(() => undefined)) === undefined) {
      local.onLine(`  there is no artefact ${given.name}`);
      return false;
    }
    await cp(artefact, path, { recursive: true, verbatimSymlinks: true });
    return true;
  }
  throw new SpacktainersError("NOT_SUPPORTED", `the action ${step.uses} cannot be run here`, {
    hint: "`ci run` runs the workflows that `ci github` writes",
  });
}
