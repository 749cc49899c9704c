import type { TaskKind, WorkEvent } from "../../util/events.ts";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import {
  buildFailureLines,
  containerTitle,
  retryText,
  stageTitle,
  taskVerb,
  waitingText,
  warningText,
} from "./eventText.ts";
import type { Reporter, ReportStream } from "./types.ts";

interface RunningTask {
  readonly start: Extract<WorkEvent, { type: "task-start" }>;
  readonly since: number;
  size: number | undefined;
  done: number;
  phase: string | undefined;
}

/** How often the live lines are drawn again. */
const frameMilliseconds = 80;
/** At most this many running tasks are shown; more are counted. */
const shownTasks = 6;
const barWidth = 24;

/**
 * The live display: what runs now, how far it is, how long the stage will still take. Lines that stay (warnings,
 * retries, results) scroll above it.
 */
export function terminalReporter(out: ReportStream, color: boolean): Reporter {
  const running = new Map<string, RunningTask>();
  let container = "";
  let total = 1;
  let containerStart = Date.now();
  let stage = "";
  let stageTotal: number | undefined;
  let stageCounts: TaskKind | undefined;
  let stageDone = 0;
  let stageReused = 0;
  let stageStart = Date.now();
  /** When the stage will be over, as far as the work itself can tell. */
  let stageEnd: number | undefined;
  let drawn = 0;
  let dirty = false;
  let closed = false;

  const dim = (text: string): string => (color ? `\u001b[2m${text}\u001b[22m` : text);
  const bold = (text: string): string => (color ? `\u001b[1m${text}\u001b[22m` : text);
  const yellow = (text: string): string => (color ? `\u001b[33m${text}\u001b[39m` : text);

  const erase = (): void => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const clip = (text: string): string => {
    // Some terminals say that they have no columns.
    const width = Math.max(20, (out.columns || 80) - 1);
    return text.length > width ? `${text.slice(0, width - 1)}…` : text;
  };
  const draw = (): void => {
    erase();
    const lines = liveLines();
    if (lines.length > 0) out.write(`${lines.join("\n")}\n`);
    drawn = lines.length;
    dirty = false;
  };
  const liveLines = (): string[] => {
    const lines = container === "" ? [] : [bold(clip(container))];
    if (stage === "") return lines;
    lines.push(bold(clip(stageLine())));
    const tasks = [...running.values()];
    for (const task of tasks.slice(0, shownTasks)) lines.push(clip(taskLine(task)));
    if (tasks.length > shownTasks) lines.push(dim(`  and ${tasks.length - shownTasks} more`));
    return lines;
  };
  const stageLine = (): string => {
    if (stageTotal === undefined) return stage;
    const reused = stageReused === 0 ? "" : `, ${stageReused} reused`;
    return `${stage}  ${stageDone} of ${stageTotal}${reused}${timeLeft()}`;
  };
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  const timeLeft = (): string => {
    if (stageEnd !== undefined)
      return stageEnd > Date.now() ? `, about ${formatDuration(stageEnd - Date.now())} left` : "";
    const made = stageDone - stageReused;
    if (stageTotal === undefined || made < 3 || stageDone >= stageTotal) return "";
    const each = (Date.now() - stageStart) / made;
    return `, about ${formatDuration(each * (stageTotal - stageDone))} left`;
  };
  const taskLine = ({ start, since, size, done, phase }: RunningTask): string => {
    const what = `  ${taskVerb[start.kind]} ${start.label}`;
    if (start.kind === "compile") return `${what}  ${phase ?? ""}  ${formatDuration(Date.now() - since)}`;
    if (size === undefined || size === 0) return done === 0 ? what : `${what}  ${formatBytes(done)}`;
    const share = Math.min(1, done / size);
    const filled = Math.round(share * barWidth);
    const bar = `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
    return `  ${bar} ${taskVerb[start.kind]} ${start.label}  ${formatBytes(done)} of ${formatBytes(size)}`;
  };
  const settleStage = (): void => {
    if (stage === "" || stageTotal === undefined) return;
    const reused = stageReused === 0 ? "" : `, ${stageReused} reused`;
    erase();
    out.write(
      `${clip(`${stage}  ${stageDone} of ${stageTotal}${reused}`)} ${dim(formatDuration(Date.now() - stageStart))}\n`,
    );
  };
  const above = (text: string): void => {
    erase();
    out.write(`${text}\n`);
    dirty = true;
  };

  const timer = setInterval(() => {
    if (dirty || running.size > 0) draw();
  }, frameMilliseconds);
  timer.unref();

  return {
    emit: (event) => {
      if (closed) return;
      switch (event.type) {
        case "container-start":
          settleStage();
          stage = "";
          container = containerTitle(event);
          total = event.total;
          containerStart = Date.now();
          break;
        case "container-end":
          settleStage();
          stage = "";
          if (total > 1)
            above(`${container}  ${event.outcome} ${dim(formatDuration(Date.now() - containerStart))}`);
          container = "";
          break;
        case "stage":
        case "job":
          settleStage();
          stage = stageTitle(event);
          stageTotal = event.type === "stage" ? event.total : undefined;
          stageCounts = event.type === "stage" ? event.counts : undefined;
          stageDone = 0;
          stageReused = 0;
          stageStart = Date.now();
          stageEnd = undefined;
          break;
        case "task-start":
          running.set(event.id, {
            start: event,
            since: Date.now(),
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
        case "time-left":
          stageEnd = Date.now() + event.seconds * 1000;
          break;
        case "build-failure":
          above(
            buildFailureLines(event)
              .map((line, index) => (index === 0 ? red(line) : line))
              .join("\n"),
          );
          break;
        case "task-progress": {
          const task = running.get(event.id);
          if (task === undefined) break;
          task.done += event.bytes;
          task.size = event.total ?? task.size;
          break;
        }
        case "task-end":
          {
            const kind = running.get(event.id)?.start.kind;
            running.delete(event.id);
            if (stageTotal === undefined || kind !== stageCounts || event.outcome === "failed") break;
            stageDone++;
            if (event.outcome === "reused") stageReused++;
          }
          break;
        case "warning":
          above(yellow(warningText(event)));
          break;
        case "retry":
          above(dim(retryText(event)));
          break;
        case "waiting":
          above(dim(waitingText(event)));
          break;
      }
      dirty = true;
    },
    line: above,
    close: () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      settleStage();
      erase();
    },
  };
}
