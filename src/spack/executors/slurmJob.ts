/** What a job of Slurm runs: our supervisor, with the task in a file. */
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { submitJob } from "../../slurm/slurm.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import type { BuilderContainer } from "../container/builderContainer.ts";
import { supervisorScript } from "../supervisorScript.ts";
import { taskInside } from "./containerExecutor.ts";
import type { BuildTask } from "./executor.ts";
import { submitEnvironment } from "./slurmRequest.ts";

/** With what it runs. */
export interface JobTools {
  /** Absolute path of a Python 3, on the nodes too. */
  readonly python: string;
  /** Builder image that the commands run in on the nodes; undefined: on the nodes themselves. */
  readonly container: BuilderContainer | undefined;
}

/** What sbatch says when the same may work a little later. */
const busy = /timed out|temporarily|try again|unable to contact|connection refused/i;
/** How often a job is tried to be submitted. */
const mostAttempts = 4;
/** Seconds from asking the processes of a job to end to killing them: less than Slurm gives all of them (`KillWait`). */
const grace = 2;

/**
 * Writes what a job needs. Its environment is in a file that only we can read: Slurm shows scripts to others.
 *
 * @param report path of the file that gets the reports
 * @returns the batch script
 */
export async function writeJob(task: BuildTask, report: string, options: JobTools): Promise<string> {
  const folder = dirname(task.log);
  await mkdir(folder, { recursive: true });
  const supervisor = join(folder, "supervisor.py");
  await writeFile(supervisor, supervisorScript, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const { steps, env } = commandsOnNode(task, options);
  const path = taskFile(report);
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify({ steps, env, log: task.log, report, grace }));
  } finally {
    await file.close();
  }
  return `#!/bin/sh\nexec ${shellLine([options.python, "-I", "-S", supervisor, path])}\n`;
}

function commandsOnNode(
  task: BuildTask,
  { container }: JobTools,
): Pick<BuildTask, "steps"> & { readonly env: NodeJS.ProcessEnv } {
  if (container === undefined) return { steps: task.steps, env: task.env };
  const { steps, variables } = taskInside(container, task);
  const { PATH, HOME, USER } = hostEnvironment();
  const own = Object.fromEntries(Object.entries({ PATH, HOME, USER }).filter(([, value]) => value));
  return { steps, env: { ...own, ...variables } };
}

/** Removes what a job that has ended was given: there may be passwords of proxies in it. */
export async function removeTask(report: string): Promise<void> {
  await rm(taskFile(report), { force: true }).catch(() => {});
}

function taskFile(report: string): string {
  return `${report}.task`;
}

/**
 * Submits a job; a controller that is too busy to answer is asked again.
 *
 * @param args options of sbatch
 * @param seconds to wait before it is asked again
 * @throws SpacktainersError as `submitJob`
 */
export async function submitPatiently(
  script: string,
  cwd: string,
  args: readonly string[],
  seconds: number,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await submitJob(script, cwd, args, submitEnvironment());
    } catch (error) {
      const isBusy = error instanceof SpacktainersError && busy.test(error.message);
      if (!isBusy || attempt === mostAttempts) throw error;
      await wait(attempt * seconds * 1000);
    }
  }
}
