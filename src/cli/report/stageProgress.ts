import type { TaskKind, WorkEvent } from "../../util/events.ts";
import { formatDuration } from "../../util/formatBytes.ts";

/** A task that runs now. */
export interface ShownTask {
  readonly start: Extract<WorkEvent, { type: "task-start" }>;
  /** In milliseconds of the clock. */
  readonly since: number;
  /** In bytes, when known. */
  readonly size: number | undefined;
  /** In bytes. */
  readonly done: number;
  readonly phase: string | undefined;
}

/** How far the stage that runs now is. */
export interface StageProgress {
  /** Takes an event into account; those about other things change nothing. */
  note(event: WorkEvent): void;
  /** Tasks that run now, in the order in which they began. */
  running(): readonly ShownTask[];
  /** The number of tasks in the stage, where that is known. */
  total(): number | undefined;
  /** Tasks of it that are done, those that were known already among them. */
  done(): number;
  /** `3 of 20, 1 reused`; empty where the number of tasks is not known. */
  counts(): string;
  /** Milliseconds that it will still take; undefined where that cannot be told (yet). */
  left(): number | undefined;
  /** Milliseconds since it began. */
  elapsed(): number;
}

/** Nobody believes what is guessed earlier, in milliseconds and in tasks. */
const earliest = { elapsed: 500, tasks: 0.2 };

/** Follows the stages of a run by its events. @param now a clock in milliseconds */
export function stageProgress(now: () => number = Date.now): StageProgress {
  const running = new Map<string, Mutable<ShownTask>>();
  let total: number | undefined;
  let counted: TaskKind | undefined;
  let done = 0;
  let reused = 0;
  let begun = now();
  /** When the stage will be over, as far as the work itself can tell. */
  let end: number | undefined;

  /** Tasks done since the stage began, and shares of those that run. */
  const made = (): number => {
    let sum = done - reused;
    for (const { start, size, done: bytes } of running.values())
      if (start.kind === counted && size !== undefined && size > 0) sum += Math.min(1, bytes / size);
    return sum;
  };
  return {
    note: (event) => {
      switch (event.type) {
        case "stage":
        case "job":
          total = event.type === "stage" ? event.total : undefined;
          counted = event.type === "stage" ? event.counts : undefined;
          [done, reused, begun, end] = [0, 0, now(), undefined];
          break;
        case "time-left":
          end = now() + event.seconds * 1000;
          break;
        case "task-start":
          running.set(event.id, {
            start: event,
            since: now(),
            size: event.bytes,
            done: 0,
            phase: undefined,
          });
          break;
        case "task-phase": {
          const task = running.get(event.id);
          if (task !== undefined) task.phase = event.phase;
          break;
        }
        case "task-progress": {
          const task = running.get(event.id);
          if (task === undefined) break;
          task.done += event.bytes;
          task.size = event.total ?? task.size;
          break;
        }
        case "task-end": {
          const kind = running.get(event.id)?.start.kind;
          running.delete(event.id);
          if (total === undefined || kind !== counted || event.outcome === "failed") break;
          done++;
          if (event.outcome === "reused") reused++;
          break;
        }
        default:
          break;
      }
    },
    running: () => [...running.values()],
    total: () => total,
    done: () => done,
    counts: () =>
      total === undefined ? "" : `${done} of ${total}${reused === 0 ? "" : `, ${reused} reused`}`,
    left: () => {
      if (end !== undefined) return end > now() ? end - now() : undefined;
      const elapsed = now() - begun;
      const sum = made();
      if (total === undefined || done >= total || elapsed < earliest.elapsed || sum < earliest.tasks)
        return undefined;
      return (elapsed / sum) * (total - reused - sum);
    },
    elapsed: () => now() - begun,
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** How far the work on several containers is. */
export interface OverallProgress {
  note(event: WorkEvent): void;
  /** More than one container is worked on. */
  isSeveral(): boolean;
  /** `1 of 5 containers, 1 failed, about 2 min left`. */
  line(): string;
}

/** Follows the containers of a run by its events. @param now a clock in milliseconds */
export function overallProgress(now: () => number = Date.now): OverallProgress {
  let total = 1;
  let done = 0;
  let failed = 0;
  let spent = 0;
  let begun: number | undefined;
  return {
    note: (event) => {
      if (event.type === "container-start") {
        total = event.total;
        done = event.position - 1;
        begun = now();
      }
      if (event.type === "container-end") {
        done++;
        if (event.outcome === "failed") failed++;
        if (begun !== undefined) spent += now() - begun;
        begun = undefined;
      }
    },
    isSeveral: () => total > 1,
    line: () => {
      const ended = Math.max(1, done);
      const current = begun === undefined ? 0 : now() - begun;
      // All containers are taken to be like those before; the one that runs now takes a while at least.
      const left = done === 0 || done >= total ? undefined : (spent / ended) * (total - done) - current;
      return [
        `${done} of ${total} containers`,
        ...(failed === 0 ? [] : [`${failed} failed`]),
        ...(left === undefined || left <= 0 ? [] : [`about ${formatDuration(left)} left`]),
      ].join(", ");
    },
  };
}
