/** Building a graph with an executor: what may begin when, how much at once, and what happens when something fails. */
import type { DagHash } from "../spec/concrete.ts";
import type { BuildNode } from "./buildGraph.ts";
import type { BuildTask, Executor, TaskEnd, TaskHandle } from "./executors/executor.ts";
import type { WorkEstimate } from "./workEstimate.ts";

/**
 * What a failure means for the rest. `finish`: what runs continues, nothing else starts. `keep-going`: everything that does not
 * depend on it is still built. `stop`: what runs is stopped.
 */
export type FailurePolicy = "finish" | "keep-going" | "stop";

/** How to build a graph. */
export interface Schedule {
  /** Every package after those that it waits for. */
  readonly nodes: readonly BuildNode[];
  readonly executor: Executor;
  /** Packages at a time, where the executor leaves that to us. */
  readonly atOnce: number;
  /** Cores of the machine, shared by what is built at a time; with an executor where nothing is shared, of each package. */
  readonly cores: number;
  readonly onFailure: FailurePolicy;
  /** Among the ready packages, the one that most others depend on starts first. */
  readonly estimate: Pick<WorkEstimate, "remaining">;
  /** The work on a package, with so many cores. */
  task(node: BuildNode, cores: number): BuildTask | Promise<BuildTask>;
  /** A package's work begins; of what an executor held back: when it lets it go. */
  started?(node: BuildNode, handle: TaskHandle): void;
  /** A package's work has ended, well or not. Awaited before anything that depends on it begins. */
  ended(node: BuildNode, end: TaskEnd): Promise<void>;
  /** When aborted, what runs is stopped, and nothing else begins. */
  readonly signal: AbortSignal;
}

/** What became of the packages. */
export interface ScheduleResult {
  readonly done: readonly BuildNode[];
  readonly failed: readonly { readonly node: BuildNode; readonly end: TaskEnd }[];
  /** Not built, because of what failed or because the work was stopped. */
  readonly left: readonly BuildNode[];
}

/**
 * Builds the packages of a graph. Returns when nothing runs any more.
 *
 * @throws what `task` or `ended` throw, and the executor's errors, once what runs is stopped
 */
export async function runSchedule(schedule: Schedule): Promise<ScheduleResult> {
  const { nodes, executor, atOnce, onFailure, signal } = schedule;
  const done: BuildNode[] = [];
  const failed: { node: BuildNode; end: TaskEnd }[] = [];
  const names = new Set(nodes.map(({ spec }) => spec.hash));
  const finished = new Set<DagHash>();
  const handles = new Map<DagHash, TaskHandle>();
  const running = new Map<DagHash, Promise<void>>();
  const waiting = [...nodes];
  let thrown: { readonly error: unknown } | undefined;
  const halted = (): boolean =>
    signal.aborted || thrown !== undefined || (failed.length > 0 && onFailure !== "keep-going");

  const begun = new Set<DagHash>();
  const stopAll = (which: (hash: DagHash) => boolean = () => true): void => {
    for (const hash of running.keys()) {
      if (!which(hash)) continue;
      const handle = handles.get(hash);
      if (handle !== undefined) void executor.stop(handle).catch(() => {});
    }
  };
  /** Gives a package to the executor. */
  const give = async (node: BuildNode, cores: number): Promise<TaskHandle> => {
    const task = await schedule.task(node, cores);
    const handle = await executor.start(
      task,
      node.after.flatMap((hash) => handles.get(hash) ?? []),
    );
    handles.set(node.spec.hash, handle);
    // Stopped between our asking for it and its beginning.
    if (signal.aborted || thrown !== undefined || (failed.length > 0 && onFailure === "stop"))
      await executor.stop(handle);
    return handle;
  };

  const follow = async (node: BuildNode, handle: TaskHandle): Promise<void> => {
    const { hash } = node.spec;
    if (await executor.begun(handle)) {
      begun.add(hash);
      schedule.started?.(node, handle);
    }
    const end = await executor.finished(handle);
    await schedule.ended(node, end);
    if (end.outcome === "done") {
      done.push(node);
      finished.add(node.spec.hash);
    } else if (end.outcome === "failed") {
      failed.push({ node, end });
      if (onFailure === "stop") stopAll();
      if (onFailure === "finish") stopAll((each) => !begun.has(each));
    }
  };

  const keep = (node: BuildNode, work: Promise<void>): void => {
    const { hash } = node.spec;
    const over = work
      .catch((error: unknown) => {
        thrown ??= { error };
        stopAll();
      })
      .finally(() => running.delete(hash));
    running.set(hash, over);
  };

  const onAbort = (): void => stopAll();
  signal.addEventListener("abort", onAbort);
  try {
    while (true) {
      if (!halted()) {
        if (executor.holdsBack) await giveAll();
        else giveReady();
      }
      if (running.size === 0) break;
      await Promise.race(running.values());
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  if (thrown !== undefined) throw thrown.error;
  const over = new Set([...done, ...failed.map(({ node }) => node)]);
  return { done, failed, left: nodes.filter((node) => !over.has(node)) };

  /** Everything, in order: the executor knows a package before what comes after it. */
  async function giveAll(): Promise<void> {
    for (const node of waiting.splice(0)) {
      if (halted()) return;
      try {
        const handle = await give(node, schedule.cores);
        keep(node, follow(node, handle));
      } catch (error) {
        thrown ??= { error };
        stopAll();
      }
    }
  }

  function giveReady(): void {
    const ready = waiting.filter(({ after }) =>
      after.every((hash) => !names.has(hash) || finished.has(hash)),
    );
    const { remaining } = schedule.estimate;
    ready.sort((a, b) => (remaining.get(b.spec.hash) ?? 0) - (remaining.get(a.spec.hash) ?? 0));
    const beginning = ready.slice(0, Math.max(0, atOnce - running.size));
    const cores = executor.sharesCores
      ? coresEach(schedule.cores, running.size + beginning.length)
      : schedule.cores;
    for (const node of beginning) {
      waiting.splice(waiting.indexOf(node), 1);
      keep(
        node,
        give(node, cores).then((handle) => follow(node, handle)),
      );
    }
  }
}

/**
 * Cores that a package gets when so many are built at once. More than their share: much of a build (configuring, linking) uses
 * one core only.
 */
export function coresEach(cores: number, atOnce: number): number {
  return Math.max(1, Math.min(cores, Math.ceil((cores * 1.5) / Math.max(1, atOnce))));
}
