import { readFile, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { SlurmConfiguration } from "../../definitions/slurmConfiguration.ts";
import { accountedJobs, cancelJobs, isFinal, type QueuedJob, queuedJobs } from "../../slurm/queue.ts";
import { canSubmit } from "../../slurm/slurm.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { lastLine } from "../../util/tool.ts";
import type { BuildTask, Executor, TaskEnd, TaskHandle } from "./executor.ts";
import { notStarted } from "./hostExecutor.ts";
import { jobEnd, reportedEnd } from "./slurmEnd.ts";
import { type JobTools, removeTask, submitPatiently, writeJob } from "./slurmJob.ts";
import { type OrphanedJob, openJournal, orphanedJobs, type SlurmJournal } from "./slurmJournal.ts";
import { readReport } from "./slurmReport.ts";
import { jobName, requestOptions } from "./slurmRequest.ts";

/** How jobs are run. */
export interface SlurmOptions extends JobTools {
  readonly settings: SlurmConfiguration;
  /** Folder of the logs of all runs, where jobs of earlier ones are found. */
  readonly logs: string;
  /** Whether a package is going to be built: what an earlier run left of others is cancelled. */
  readonly wanted: (hash: DagHash) => boolean;
  /** Whether a package is in the build cache by now: what it is asked about was not there when this run looked. */
  readonly isBuilt: (hash: DagHash) => Promise<boolean>;
  /** It takes everything at once; otherwise it is given what is ready. */
  readonly holdsBack: boolean;
  readonly emit: EmitEvent;
}

interface SlurmJob {
  readonly id: string;
  readonly report: string;
  /** What Slurm itself says of it. */
  readonly said: string;
  readonly after: readonly TaskHandle[];
  readonly begun: Promise<boolean>;
  readonly end: Promise<TaskEnd>;
  begin(began: boolean): void;
  settle(end: TaskEnd): void;
  stopping: boolean;
  outcome: TaskEnd["outcome"] | undefined;
  state: string;
  patience: number;
}

/** Longest time between two questions, in seconds, unless more is configured. */
const longestPoll = 60;
/** Between two looks at the files that jobs write, in milliseconds. */
const lookEvery = 2000;
/** How often we note that we are still here, in milliseconds. */
const touchEvery = 60_000;
/** Jobs of earlier runs that are looked into at a time. */
const lookupsAtOnce = 16;
/** Time without an answer of Slurm's after which a job that was cancelled counts as stopped, in milliseconds. */
const longestSilence = 120_000;

/**
 * Builds as jobs of Slurm, one a package, on nodes that share our folders. Jobs live on when we are killed: what an earlier run
 * left is gone on with, or cancelled. Slurm is asked about all jobs in one question, seldom; what they say of themselves is read
 * from files.
 *
 * @throws SpacktainersError RUNTIME_MISSING where no jobs can be submitted
 */
export async function openSlurmExecutor(options: SlurmOptions): Promise<Executor> {
  const { settings, emit } = options;
  if (!(await canSubmit()))
    throw new SpacktainersError("RUNTIME_MISSING", "the executor slurm needs sbatch, which is not here", {
      hint: "run it on a login node of the cluster, or build with --executor host",
    });
  const orphans = await usefulOrphans(options);
  const unwanted = orphans.filter(({ hash }) => !options.wanted(hash));
  await cancelJobs(unwanted.map(({ id }) => id));
  const adoptable = new Map(orphans.filter(({ hash }) => options.wanted(hash)).map((job) => [job.hash, job]));

  const jobs = new Map<TaskHandle, SlurmJob>();
  const active = new Set<SlurmJob>();
  let journal: Promise<SlurmJournal> | undefined;
  let closed = false;
  let watching: Promise<void> | undefined;
  let wake: () => void = () => {};
  let cancelling: Promise<void> | undefined;

  const jobOf = (handle: TaskHandle): SlurmJob => {
    const job = jobs.get(handle);
    if (job === undefined) throw new SpacktainersError("INTERNAL", `${handle.task.label} is not a task here`);
    return job;
  };

  const take = (id: string, task: BuildTask, after: readonly TaskHandle[], report: string): TaskHandle => {
    const [begun, begin] = later<boolean>();
    const [end, settle] = later<TaskEnd>();
    const handle: TaskHandle = { task, place: `job ${id}` };
    const job: SlurmJob = {
      id,
      report,
      said: `${report}.slurm`,
      after,
      begun,
      end,
      begin,
      settle: (how) => {
        if (job.outcome !== undefined) return;
        job.outcome = how.outcome;
        active.delete(job);
        void removeTask(report);
        begin(how.step !== undefined);
        settle(how);
      },
      stopping: false,
      outcome: undefined,
      state: "",
      patience: 0,
    };
    jobs.set(handle, job);
    active.add(job);
    follow();
    wake();
    return handle;
  };

  const follow = (): void => {
    watching ??= watch().finally(() => {
      watching = undefined;
      if (active.size > 0) follow();
    });
  };

  /** Follows all jobs until the last has ended. */
  const watch = async (): Promise<void> => {
    let interval = settings.poll;
    let asked = Date.now();
    let answered = Date.now();
    let touched = 0;
    while (active.size > 0) {
      const due = asked + interval * 1000;
      await Promise.race([
        wait(Math.max(50, Math.min(lookEvery, due - Date.now()))),
        new Promise<void>((resolve) => {
          wake = resolve;
        }).then(() => wait(50)),
      ]);
      if (Date.now() - touched > touchEvery) {
        touched = Date.now();
        await (await journal)?.touch();
      }
      let changed = await lookAtReports();
      if (Date.now() >= due && active.size > 0) {
        const answer = await queuedJobs([...active].map(({ id }) => id));
        asked = Date.now();
        if (answer !== undefined) {
          answered = asked;
          changed = (await lookAtQueue(answer)) || changed;
        } else if (asked - answered > longestSilence)
          for (const job of active) if (job.stopping) job.settle({ ...notStarted, outcome: "stopped" });
        interval = changed ? settings.poll : Math.min(Math.max(settings.poll, longestPoll), interval * 1.5);
      } else if (changed) interval = settings.poll;
    }
  };

  const lookAtReports = async (): Promise<boolean> => {
    let changed = false;
    for (const job of [...active]) {
      const report = await readReport(job.report);
      if (report?.step !== undefined) job.begin(true);
      const end = reportedEnd(report, job.stopping);
      if (end === undefined) continue;
      changed = true;
      job.settle(end);
    }
    return changed;
  };

  const lookAtQueue = async (answer: ReadonlyMap<string, QueuedJob>): Promise<boolean> => {
    const forgotten = [...active].filter(({ id }) => !answer.has(id)).map(({ id }) => id);
    const accounted = await accountedJobs(forgotten);
    let changed = false;
    for (const job of [...active]) {
      const queued = answer.get(job.id) ?? accounted.get(job.id);
      const isOver = queued === undefined || isFinal(queued);
      job.patience = isOver ? job.patience + 1 : 0;
      if (queued !== undefined && queued.state !== job.state) {
        job.state = queued.state;
        changed = true;
      }
      const end = jobEnd({
        id: job.id,
        queued,
        report: await readReport(job.report),
        stopping: job.stopping,
        orphaned: job.after.some((handle) => {
          const { outcome } = jobOf(handle);
          return outcome !== undefined && outcome !== "done";
        }),
        said: isOver ? lastLine(await readFile(job.said, "utf8").catch(() => "")) : "",
        patience: job.patience,
      });
      if (end === undefined) continue;
      changed = true;
      // It is held, or waits for what will not come. One that runs may have reported its end a moment ago: cancelled now, it would count as
      // failed for what comes after it.
      if (queued?.state === "PENDING") void cancelJobs([job.id]);
      job.settle(end);
    }
    return changed;
  };

  /** Cancels what is to be stopped, all that is asked for at about the same time in one request. */
  const cancel = (): Promise<void> => {
    cancelling ??= wait(20).then(async () => {
      cancelling = undefined;
      const ids = [...active].filter(({ stopping }) => stopping).map(({ id }) => id);
      const trouble = ids.length === 0 ? undefined : await cancelJobs(ids);
      if (trouble !== undefined)
        emit({
          type: "warning",
          code: "PROCESS_FAILED",
          message: `jobs could not be cancelled, and may continue: ${ids.join(" ")}: ${trouble}`,
          hint: `scancel ${ids.join(" ")}`,
        });
      wake();
    });
    return cancelling;
  };

  const stop = async (wanted: readonly SlurmJob[]): Promise<void> => {
    const open = wanted.filter(({ outcome }) => outcome === undefined);
    for (const job of open) job.stopping = true;
    if (open.length > 0) await cancel();
    await Promise.all(open.map(({ end }) => end));
  };

  return {
    name: "slurm",
    holdsBack: options.holdsBack,
    sharesCores: false,
    async start(task, after) {
      if (closed) throw new SpacktainersError("INTERNAL", "the executor is closed");
      journal ??= openJournal(dirname(task.log));
      const { add } = await journal;
      const { work } = task;
      const orphan = adoptable.get(task.hash);
      adoptable.delete(task.hash);
      if (orphan !== undefined && orphan.work === work) {
        await symlink(orphan.log, task.log).catch(() => {});
        await add({ ...entry(orphan), work });
        const handle = take(orphan.id, task, after, orphan.report);
        // What is over must be known to be before anything is submitted that would wait for it: Slurm forgets jobs.
        const end = reportedEnd(await readReport(orphan.report), false);
        if (end !== undefined) jobOf(handle).settle(end);
        return handle;
      }
      if (orphan !== undefined) await cancelJobs([orphan.id]);
      const before = after.map(jobOf);
      if (before.some(({ outcome }) => outcome !== undefined && outcome !== "done")) {
        const handle = take("0", task, after, `${task.log}.none`);
        jobOf(handle).settle(notStarted);
        return handle;
      }
      // One that has ended well may be forgotten by Slurm.
      const waiting = before.flatMap(({ outcome, id }) => (outcome === undefined ? [id] : []));
      const report = `${task.log.replace(/\.log$/, "")}.report`;
      const script = await writeJob(task, report, options);
      const args = requestOptions(task, settings, waiting, `${report}.slurm`);
      const id = await submitPatiently(script, task.cwd, args, settings.poll);
      await add({ id, name: jobName(task), hash: task.hash, work, log: task.log, report });
      return take(id, task, after, report);
    },
    begun: (handle) => jobOf(handle).begun,
    finished: (handle) => jobOf(handle).end,
    stop: (handle) => stop([jobOf(handle)]),
    async close() {
      closed = true;
      await cancelJobs([...adoptable.values()].map(({ id }) => id));
      adoptable.clear();
      await stop([...active]);
      await watching;
    },
  };
}

function later<T>(): readonly [Promise<T>, (value: T) => void] {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((give) => {
    resolve = give;
  });
  return [promise, resolve];
}

function entry({ id, name, hash, log, report }: OrphanedJob) {
  return { id, name, hash, log, report };
}

/** Jobs that runs left which are over: those that have not ended, and those that built their package after this run had looked for it. */
async function usefulOrphans({
  logs,
  wanted,
  isBuilt,
}: Pick<SlurmOptions, "logs" | "wanted" | "isBuilt">): Promise<readonly OrphanedJob[]> {
  const orphans = await orphanedJobs(logs);
  if (orphans.length === 0) return [];
  const queue = await queuedJobs(orphans.map(({ id }) => id));
  const useful = await mapConcurrently(orphans, lookupsAtOnce, async ({ id, name, hash, report }) => {
    const queued = queue?.get(id);
    if (queued !== undefined && queued.name === name && !isFinal(queued)) return true;
    return (
      wanted(hash) &&
      reportedEnd(await readReport(report), false)?.outcome === "done" &&
      (await isBuilt(hash))
    );
  });
  return orphans.filter((_, index) => useful[index]);
}
