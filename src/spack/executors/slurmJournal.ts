/** Which jobs belong to whom: jobs of Slurm live on when we are killed, and the next run continues with them. */
import { appendFile, readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { DagHash } from "../../spec/concrete.ts";
import { hostTag, isSameProcess, startOfProcess } from "../../util/processes.ts";

/** A job of a run. */
export interface JournalJob {
  readonly id: string;
  /** As Slurm knows it: numbers come back. */
  readonly name: string;
  readonly hash: DagHash;
  /** As in `BuildTask`. */
  readonly work: string;
  /** Absolute paths of its log and of the supervisor's reports. */
  readonly log: string;
  readonly report: string;
}

/** Jobs of an earlier run of which nobody takes care any more. */
export interface OrphanedJob extends JournalJob {
  /** The journal that has it. */
  readonly journal: string;
}

const journalName = "slurm-jobs.jsonl";

/** A run on another machine whose journal has not been touched for this long is over; in milliseconds. */
const silence = 15 * 60_000;

/** The first line of a journal: whose it is. */
interface JournalHead {
  readonly host: string;
  readonly pid: number;
  readonly start: string;
}

/** The journal of a run. */
export interface SlurmJournal {
  /** Remembers a job. */
  add(job: JournalJob): Promise<void>;
  /** Notes that we are still here. */
  touch(): Promise<void>;
}

/** Begins the journal of this run. @param folder of its logs, which exists */
export async function openJournal(folder: string): Promise<SlurmJournal> {
  const path = join(folder, journalName);
  const head: JournalHead = { host: hostTag, pid: process.pid, start: startOfProcess(process.pid) ?? "-" };
  const write = (line: object): Promise<void> => appendFile(path, `${JSON.stringify(line)}\n`);
  await write(head);
  return {
    add: write,
    touch: async () => {
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
    },
  };
}

/**
 * Jobs of earlier runs whose process is gone, the newest of a package last. They may have ended long ago.
 *
 * @param logs folder of the logs of all runs
 */
export async function orphanedJobs(logs: string): Promise<readonly OrphanedJob[]> {
  const found: OrphanedJob[] = [];
  for (const run of (await readdir(logs).catch(() => [])).sort()) {
    const journal = join(logs, run, journalName);
    const text = await readFile(journal, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const [first, ...others] = text.split("\n").map(parseLine);
    if (!isHead(first) || (await isAlive(first, journal))) continue;
    for (const line of others) if (isJob(line)) found.push({ ...line, journal });
  }
  return found;
}

async function isAlive({ host, pid, start }: JournalHead, journal: string): Promise<boolean> {
  if (host === hostTag) return isSameProcess(pid, start);
  const facts = await stat(journal).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs < silence;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // The last line of somebody who was killed.
    return undefined;
  }
}

function isHead(value: unknown): value is JournalHead {
  const head = value as Partial<JournalHead> | null | undefined;
  return typeof head?.host === "string" && typeof head.pid === "number" && typeof head.start === "string";
}

function isJob(value: unknown): value is JournalJob {
  const job = value as Partial<JournalJob> | null | undefined;
  return (
    typeof job?.id === "string" &&
    /^\d+$/.test(job.id) &&
    [job.name, job.hash, job.work, job.log, job.report].every((each) => typeof each === "string")
  );
}
