/** When each stage and task of a run began and ended, taken from its events. */
import type { EmitEvent, StageId, TaskKind, WorkEvent } from "../../../util/events.ts";

/** A span of time, in milliseconds since the recording began. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One unit of work that was not known already. */
export interface TimedTask extends Span {
  readonly kind: TaskKind;
  readonly label: string;
  /** Undefined where the work was for one container only. */
  readonly container: string | undefined;
  readonly outcome: "done" | "failed";
  /** Its size, when known. */
  readonly bytes: number | undefined;
  /** Of a package that was built: `fetch`, `configure`, `build`, …; each lasts until the next one. */
  readonly phases: readonly (Span & { readonly name: string })[];
}

/** A part of the whole work. */
export interface TimedStage extends Span {
  readonly stage: StageId;
  readonly container: string | undefined;
}

/** A run. */
export interface Timings {
  /** When it began. */
  readonly began: Date;
  /** How long it took, in milliseconds. */
  readonly milliseconds: number;
  readonly containers: readonly (Span & { readonly name: string; readonly outcome: "done" | "failed" })[];
  readonly stages: readonly TimedStage[];
  /** In the order in which they began. */
  readonly tasks: readonly TimedTask[];
  /** Tasks whose results were known already, by kind. */
  readonly reused: ReadonlyMap<TaskKind, number>;
}

interface OpenTask {
  readonly event: Extract<WorkEvent, { type: "task-start" }>;
  readonly start: number;
  readonly container: string | undefined;
  readonly phases: { readonly name: string; readonly start: number }[];
  bytes: number | undefined;
}

/**
 * Records what passes by.
 *
 * @param emit gets every event, too
 * @param now milliseconds on a clock that never goes back
 * @returns `emit` to report to, and `timings`, to be called when the work is over: what is still running then has failed
 */
export function recordTimings(
  emit: EmitEvent,
  {
    began = new Date(),
    now = () => performance.now(),
  }: { readonly began?: Date; readonly now?: () => number } = {},
): { readonly emit: EmitEvent; timings(): Timings } {
  const zero = now();
  const clock = (): number => now() - zero;
  const running = new Map<string, OpenTask>();
  const tasks: (TimedTask & { readonly order: number })[] = [];
  const stages: TimedStage[] = [];
  const containers: (Span & { readonly name: string; readonly outcome: "done" | "failed" })[] = [];
  const reused = new Map<TaskKind, number>();
  let order = 0;
  const orders = new Map<string, number>();
  let container: { readonly name: string; readonly start: number } | undefined;
  let stage: { readonly stage: StageId; readonly start: number } | undefined;

  const endStage = (end: number): void => {
    if (stage !== undefined) stages.push({ ...stage, end, container: container?.name });
    stage = undefined;
  };
  const endContainer = (end: number, outcome: "done" | "failed"): void => {
    endStage(end);
    if (container !== undefined) containers.push({ ...container, end, outcome });
    container = undefined;
  };
  const endTask = (id: string, end: number, outcome: "done" | "failed", bytes: number | undefined): void => {
    const task = running.get(id);
    if (task === undefined) return;
    running.delete(id);
    tasks.push({
      order: orders.get(id) ?? 0,
      kind: task.event.kind,
      label: task.event.label,
      container: task.container,
      start: task.start,
      end,
      outcome,
      bytes: bytes ?? task.bytes,
      phases: task.phases.map((phase, at) => ({ ...phase, end: task.phases[at + 1]?.start ?? end })),
    });
  };

  const record = (event: WorkEvent): void => {
    const at = clock();
    switch (event.type) {
      case "container-start":
        endContainer(at, "done");
        container = { name: event.container, start: at };
        break;
      case "container-end":
        endContainer(at, event.outcome);
        break;
      case "stage":
        endStage(at);
        stage = { stage: event.stage, start: at };
        break;
      case "task-start":
        orders.set(event.id, order++);
        running.set(event.id, {
          event,
          start: at,
          container: event.container ?? container?.name,
          phases: [],
          bytes: event.bytes,
        });
        break;
      case "task-progress": {
        const task = running.get(event.id);
        if (task !== undefined && event.total !== undefined) task.bytes = event.total;
        break;
      }
      case "task-phase":
        running.get(event.id)?.phases.push({ name: event.phase, start: at });
        break;
      case "task-end":
        if (event.outcome === "reused") {
          const kind = running.get(event.id)?.event.kind;
          if (kind !== undefined) reused.set(kind, (reused.get(kind) ?? 0) + 1);
          running.delete(event.id);
        } else endTask(event.id, at, event.outcome, event.bytes);
        break;
      default:
        break;
    }
  };
  return {
    emit: (event) => {
      record(event);
      emit(event);
    },
    timings: () => {
      const end = clock();
      for (const id of [...running.keys()]) endTask(id, end, "failed", undefined);
      endContainer(end, "failed");
      tasks.sort((a, b) => a.order - b.order);
      return {
        began,
        milliseconds: end,
        containers: [...containers],
        stages: [...stages],
        tasks: tasks.map(({ order: _order, ...task }) => task),
        reused: new Map(reused),
      };
    },
  };
}
