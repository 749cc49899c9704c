import { randomUUID } from "node:crypto";
import type { EmitEvent, TaskKind } from "../util/events.ts";

/**
 * Reports a piece of work as a task: its beginning, progress, and end.
 *
 * @param work is given a function to report bytes done since its last call; says whether anything had to be done
 */
export async function runTask<T extends "done" | "reused">(
  emit: EmitEvent,
  task: { readonly kind: TaskKind; readonly label: string; readonly bytes: number },
  work: (progress: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const id = `${task.kind} ${randomUUID()}`;
  emit({ type: "task-start", id, ...task });
  try {
    const outcome = await work((bytes) => emit({ type: "task-progress", id, bytes }));
    emit({ type: "task-end", id, outcome, bytes: task.bytes });
    return outcome;
  } catch (thrown) {
    emit({ type: "task-end", id, outcome: "failed" });
    throw thrown;
  }
}
