/** Many jobs at once: one question to Slurm for all of them. */

import { findProgram, lastLine, runTool } from "../util/tool.ts";
import { finalStates } from "./slurm.ts";

/** What the queue says of a job. */
export interface QueuedJob {
  /** Slurm's word, such as `PENDING`, `RUNNING`, `COMPLETED`. */
  readonly state: string;
  /** Why it waits, or why it ended: `Dependency`, `Resources`, `TimeLimit`. */
  readonly reason: string;
  /** Where it runs or ran; empty before. */
  readonly nodes: string;
  readonly name: string;
}

/** Most that is asked for in one command line. */
const mostAtOnce = 2000;

/**
 * Asks the controller about jobs, in one question.
 *
 * @param ids numbers of jobs
 * @returns what it knows; those it has forgotten are not in it. Undefined when it does not answer
 */
export async function queuedJobs(
  ids: readonly string[],
): Promise<ReadonlyMap<string, QueuedJob> | undefined> {
  const found = new Map<string, QueuedJob>();
  for (let at = 0; at < ids.length; at += mostAtOnce) {
    const list = ids.slice(at, at + mostAtOnce).join(",");
    const answer = await runTool(["squeue", "-h", "-t", "all", "-j", list, "-o", "%i|%T|%N|%j|%r"], {
      timeout: 120_000,
    });
    // It says so of a single job that it does not know any more; of several it leaves such out.
    if (answer.status !== 0 && !/invalid job id/i.test(answer.stderr)) return undefined;
    for (const [id, job] of parseQueue(answer.stdout)) found.set(id, job);
  }
  return found;
}

/** Whether a job in a state does not come back from it. */
export function isFinal({ state }: Pick<QueuedJob, "state">): boolean {
  return finalStates.has(state);
}

/** Reads lines `ID|STATE|NODES|NAME|REASON`. */
export function parseQueue(text: string): ReadonlyMap<string, QueuedJob> {
  const found = new Map<string, QueuedJob>();
  for (const line of text.split("\n")) {
    const [id = "", state = "", nodes = "", name = "", ...reason] = line.trim().split("|");
    if (/^\d+$/.test(id) && /^[A-Z_]+$/.test(state))
      found.set(id, { state, nodes, name, reason: reason.join("|") });
  }
  return found;
}

/**
 * What the accounting knows of jobs that the controller has forgotten, in one question; empty where there is none.
 */
export async function accountedJobs(ids: readonly string[]): Promise<ReadonlyMap<string, QueuedJob>> {
  if (ids.length === 0) return new Map();
  const list = ids.slice(-mostAtOnce).join(",");
  const answer = await runTool(
    ["sacct", "-X", "-n", "-P", "-j", list, "-o", "JobIDRaw,State,NodeList,JobName,Reason"],
    {
      timeout: 120_000,
    },
  );
  if (answer.status !== 0) return new Map();
  // "CANCELLED by 1000"
  return parseQueue(answer.stdout.replaceAll(/^(\d+\|[A-Z_]+) [^|]*/gm, "$1"));
}

/** Ends jobs, in one request. @returns why that failed, or undefined */
export async function cancelJobs(ids: readonly string[]): Promise<string | undefined> {
  for (let at = 0; at < ids.length; at += mostAtOnce) {
    const [first = "", ...others] = ids.slice(at, at + mostAtOnce);
    const answer = await runTool(["scancel", first, ...others], { timeout: 120_000 });
    if (answer.status !== 0 && !/invalid job id/i.test(answer.stderr))
      return lastLine(answer.stderr) || `status ${answer.status}`;
  }
  return undefined;
}

/** Cores of the smallest node of a partition; undefined where Slurm does not say. */
export async function coresOfNodes(partition: string | undefined): Promise<number | undefined> {
  if ((await findProgram("sinfo")) === undefined) return undefined;
  const where = partition === undefined ? [] : ["-p", partition];
  const answer = await runTool(["sinfo", "-h", "-o", "%c", ...where], { timeout: 60_000 });
  const cores = answer.stdout
    .split("\n")
    .map((line) => Number.parseInt(line, 10))
    .filter((count) => count > 0);
  return answer.status !== 0 || cores.length === 0 ? undefined : Math.min(...cores);
}
