/**
 * What long work reports while it runs.
 *
 * Core code calls an {@link EmitEvent}; it never prints. The terminal display, the plain lines and `--json` are three
 * renderers of the same events (`src/cli/report`).
 */
import type { ErrorCode, Place } from "./errors.ts";

/** What a task does, for people ("downloading zlib"). */
export type TaskKind =
  | "index"
  | "lookup"
  | "download"
  | "pull"
  | "push"
  | "install"
  | "base"
  | "view"
  | "check"
  | "write"
  | "unpack"
  | "run";

export type WorkEvent =
  /** A stage of the whole work begins; `total` is the number of tasks in it, when known; `counts` the kind that is counted, when others run beside it. */
  | { readonly type: "stage"; readonly stage: string; readonly total?: number; readonly counts?: TaskKind }
  /** One unit of work begins. `id` is unique within a run; `bytes` is its size, when known. */
  | {
      readonly type: "task-start";
      readonly id: string;
      readonly kind: TaskKind;
      readonly label: string;
      readonly bytes?: number;
    }
  /** `bytes` more of the task are done since the last event. */
  | { readonly type: "task-progress"; readonly id: string; readonly bytes: number }
  /** The task is over. `reused`: its result was known already. */
  | {
      readonly type: "task-end";
      readonly id: string;
      readonly outcome: "done" | "reused" | "failed";
      readonly bytes?: number;
    }
  /** Something worth a user's attention that does not stop the work. */
  | {
      readonly type: "warning";
      readonly code: ErrorCode | "NOTICE";
      readonly message: string;
      readonly place?: Place;
      readonly hint?: string;
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
