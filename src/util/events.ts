/**
 * What long work reports while it runs.
 *
 * Core code calls an {@link EmitEvent}; it never prints. The terminal display, the plain lines and `--json` are three
 * renderers of the same events (`src/cli/report`).
 */
import { randomUUID } from "node:crypto";
import type { ErrorCode, Place } from "./errors.ts";
import { stopIfAborted } from "./interruption.ts";

/** What a task does. */
export type TaskKind =
  | "index"
  | "lookup"
  | "download"
  | "pull"
  | "push"
  | "install"
  | "base"
  | "check"
  | "write"
  | "unpack"
  | "run"
  | "compile";

/** A part of the whole work. Programs match these; what people read is derived from them in `src/cli/report`. */
export type StageId =
  | "choose-packages"
  | "read-lock"
  | "look-up-packages"
  | "prepare-spack"
  | "concretize-packages"
  | "fetch-build-dependencies"
  | "build-packages"
  | "install-packages"
  | "unpack-packages"
  | "merge-view"
  | "assemble-image"
  | "complete-base"
  | "change-base"
  | "write-image"
  | "ask-registries"
  | "push-image"
  | "move-tags"
  | "open-source"
  | "run-apptainer"
  | "read-layers"
  | "write-file"
  | "read-file"
  | "push-file"
  | "verify-packages"
  | "copy-packages"
  | "list-packages"
  | "remove-packages"
  | "index-packages";

/** Why a package could not be built. */
export interface BuildFailure {
  /** `name@version/hash`, shortened. */
  readonly package: string;
  /** Phase in which it failed; undefined if it had not begun. */
  readonly phase: string | undefined;
  /** What ended it, if the log does not show it. */
  readonly reason: string | undefined;
  /** Absolute path of the whole log; on the machine that built it. */
  readonly log: string;
  /** The first errors in the log. */
  readonly errors: readonly {
    /** From 1. */
    readonly line: number;
    readonly text: string;
    /** Lines before it, the line itself, lines behind it. */
    readonly context: readonly string[];
  }[];
  /** Packages that cannot be built without it, in the same form. */
  readonly blocked: readonly string[];
}

/** What long work reports. Where it is done for containers, the event says for which one. */
export type WorkEvent = PlainEvent & { readonly container?: string };

type PlainEvent =
  /** Work for a container begins, the `position`th of `total` that it is done for, one after the other. */
  | {
      readonly type: "container-start";
      readonly container: string;
      readonly position: number;
      readonly total: number;
    }
  /** It is over. */
  | { readonly type: "container-end"; readonly container: string; readonly outcome: "done" | "failed" }
  /** A stage of the whole work begins. */
  | {
      readonly type: "stage";
      readonly stage: StageId;
      /** Number of its tasks of the kind `counts`, if known; other tasks run at the same time. */
      readonly total?: number;
      readonly counts?: TaskKind;
    }
  /** One unit of work begins. No two that run at a time have the same `id`; `bytes` is its size, when known. */
  | {
      readonly type: "task-start";
      readonly id: string;
      readonly kind: TaskKind;
      readonly label: string;
      readonly bytes?: number | undefined;
    }
  /** `bytes` more of the task are done since the last event; `total`: its size, when that is known only now. */
  | { readonly type: "task-progress"; readonly id: string; readonly bytes: number; readonly total?: number }
  /** The task is in another phase: of a package that is built `fetch`, `configure`, `build`, `install`, `push`, … */
  | { readonly type: "task-phase"; readonly id: string; readonly phase: string }
  /** So many seconds more the stage will take, as estimated from earlier times. */
  | { readonly type: "time-left"; readonly seconds: number }
  /** A package could not be built. The work on others may continue. */
  | ({ readonly type: "build-failure" } & BuildFailure)
  /** The task is over; every task that begins ends. `reused`: its result was known already. `failed`: aborted, too. */
  | {
      readonly type: "task-end";
      readonly id: string;
      readonly outcome: "done" | "reused" | "failed";
      readonly bytes?: number | undefined;
    }
  /** A batch job has another state: `SUBMITTED`, or what Slurm calls it (`PENDING`, `RUNNING`, …). */
  | {
      readonly type: "job";
      readonly job: string;
      readonly state: string;
      readonly reason?: string | undefined;
    }
  /** Something worth a user's attention that does not stop the work. */
  | {
      readonly type: "warning";
      readonly code: ErrorCode | "NOTICE";
      readonly message: string;
      readonly place?: Place;
      readonly hint?: string | undefined;
    }
  /** Another process does something that this one needs, and it waits for that one to end. */
  | {
      readonly type: "waiting";
      /** What the other does, for people: "unpacking layer 0123". */
      readonly what: string;
      /** Undefined if unknown. */
      readonly holder?: { readonly host: string; readonly pid: number } | undefined;
    }
  /** A retry of a network operation. */
  | {
      readonly type: "retry";
      readonly url: string;
      readonly attempt: number;
      readonly reason: string;
      readonly delayMs: number;
    };

/** Receives events. Must not throw. */
export type EmitEvent = (event: WorkEvent) => void;

/** Drops every event. */
export const ignoreEvents: EmitEvent = () => {};

/** One unit of work, as it is announced. */
export interface Task {
  readonly kind: TaskKind;
  /** What it is about, for people. */
  readonly label: string;
  /** What it is about, for programs: unique among tasks of this kind that run at a time. Undefined: made up. */
  readonly subject?: string | undefined;
  /** Its size in bytes, when known. */
  readonly bytes?: number | undefined;
  /** When aborted, the task is not begun, and {@link RunningTask.counted} stops. */
  readonly signal?: AbortSignal | undefined;
}

/** What a task's work reports with. */
export interface RunningTask {
  /** So many bytes more are done. */
  progress(bytes: number): void;
  /** The size in bytes, where it was not known at the beginning. */
  size(bytes: number): void;
  /** It is in another phase now. */
  phase(name: string): void;
  /** The result was known already: nothing was done. */
  reused(): void;
  /**
   * The chunks as they are, each reported as progress.
   * @throws INTERRUPTED when the task's signal is aborted; the signal's own reason when that is a SpacktainersError
   */
  counted<Chunk extends Uint8Array>(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk, void, void>;
}

/**
 * Reports a piece of work as a task: its beginning, its progress, and always its end, which is `failed` when the work throws.
 *
 * @returns what the work returns
 * @throws what the work throws; INTERRUPTED when the task's signal is aborted already
 */
export async function runTask<Result>(
  emit: EmitEvent,
  { kind, label, subject = randomUUID(), bytes, signal }: Task,
  work: (task: RunningTask) => Promise<Result>,
): Promise<Result> {
  stopIfAborted(signal);
  const id = `${kind}:${subject}`;
  let size = bytes;
  let outcome: "done" | "reused" = "done";
  const progress = (more: number): void => emit({ type: "task-progress", id, bytes: more });
  const task: RunningTask = {
    progress,
    size: (total) => {
      if (total === size) return;
      size = total;
      emit({ type: "task-progress", id, bytes: 0, total });
    },
    phase: (name) => emit({ type: "task-phase", id, phase: name }),
    reused: () => {
      outcome = "reused";
    },
    async *counted(chunks) {
      for await (const chunk of chunks) {
        stopIfAborted(signal);
        progress(chunk.length);
        yield chunk;
      }
    },
  };
  emit({ type: "task-start", id, kind, label, bytes: size });
  try {
    const result = await work(task);
    emit({ type: "task-end", id, outcome, bytes: size });
    return result;
  } catch (thrown) {
    emit({ type: "task-end", id, outcome: "failed" });
    throw thrown;
  }
}

/** Reports work that did not have to be done, because its result was there. */
export async function reportReused(emit: EmitEvent, task: Task): Promise<void> {
  await runTask(emit, task, async ({ reused }) => reused());
}
