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
import { overallProgress, type ShownTask, stageProgress } from "./stageProgress.ts";
import type { Reporter, ReportStream } from "./types.ts";

/** How often the live lines are drawn again. */
const frameMilliseconds = 80;
/** At most this many running tasks are shown; more are counted. */
const shownTasks = 6;
const barWidth = 24;

/**
 * The live display: how far all containers are, what runs now for which one, how long it will still take. Lines that stay
 * (warnings, retries, results) scroll above it.
 */
export function terminalReporter(out: ReportStream, color: boolean): Reporter {
  const progress = stageProgress();
  const overall = overallProgress();
  let container = "";
  let title = "";
  let containerStart = Date.now();
  let stage = "";
  let drawn = 0;
  let dirty = false;
  let closed = false;

  const dim = (text: string): string => (color ? `\u001b[2m${text}\u001b[22m` : text);
  const bold = (text: string): string => (color ? `\u001b[1m${text}\u001b[22m` : text);
  const yellow = (text: string): string => (color ? `\u001b[33m${text}\u001b[39m` : text);
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);

  const erase = (): void => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  // Some terminals say that they have no columns.
  const width = (): number => Math.max(20, (out.columns || 80) - 1);
  /** A line that fits. @param room columns that it leaves for more */
  const clip = (text: string, room = 0): string => clipTo(text, width() - room);
  /** A line that stays about what is over, and how long it took. */
  const settle = (text: string, end: string, milliseconds: number): void => {
    const took = formatDuration(milliseconds);
    above(`${clip(text, end.length + took.length + 1)}${end} ${dim(took)}`);
  };
  const draw = (): void => {
    erase();
    const lines = liveLines();
    if (lines.length > 0) out.write(`${lines.join("\n")}\n`);
    drawn = lines.length;
    dirty = false;
  };
  const liveLines = (): string[] => {
    const lines = overall.isSeveral()
      ? [clip(overall.line())]
      : container === ""
        ? []
        : [bold(clip(container))];
    if (stage === "") return lines;
    const left = progress.left();
    lines.push(
      bold(clip(`${stageLine()}${left === undefined ? "" : `, about ${formatDuration(left)} left`}`)),
    );
    const tasks = progress.running();
    for (const task of tasks.slice(0, shownTasks)) lines.push(clip(taskLine(task)));
    if (tasks.length > shownTasks) lines.push(dim(`  and ${tasks.length - shownTasks} more`));
    return lines;
  };
  const stageLine = (): string =>
    // Where there is little room, most of it is for what is done.
    [
      overall.isSeveral() ? clipTo(container, Math.floor(width() / (width() < 60 ? 3 : 2))) : "",
      stage,
      progress.counts(),
    ]
      .filter((part) => part !== "")
      .join("  ");
  const settleStage = (): void => {
    if (stage === "" || progress.total() === undefined) return;
    settle(stageLine(), "", progress.elapsed());
  };
  const above = (text: string): void => {
    erase();
    out.write(`${text}\n`);
    dirty = true;
  };

  const timer = setInterval(() => {
    if (dirty || progress.running().length > 0) draw();
  }, frameMilliseconds);
  timer.unref();

  return {
    emit: (event) => {
      if (closed) return;
      switch (event.type) {
        case "container-start":
          settleStage();
          stage = "";
          container = event.container;
          title = containerTitle(event);
          containerStart = Date.now();
          break;
        case "container-end":
          settleStage();
          stage = "";
          if (overall.isSeveral()) settle(title, `  ${event.outcome}`, Date.now() - containerStart);
          container = "";
          break;
        case "stage":
        case "job":
          settleStage();
          stage = stageTitle(event);
          break;
        case "build-failure":
          above(
            buildFailureLines(event)
              .map((line, index) => (index === 0 ? red(line) : line))
              .join("\n"),
          );
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
        default:
          break;
      }
      overall.note(event);
      progress.note(event);
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

function clipTo(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** A running task, with a bar where its size is known. */
function taskLine({ start, since, size, done, phase }: ShownTask): string {
  const what = `  ${taskVerb[start.kind]} ${start.label}`;
  if (start.kind === "compile") return `${what}  ${phase ?? ""}  ${formatDuration(Date.now() - since)}`;
  if (size === undefined || size === 0) return done === 0 ? what : `${what}  ${formatBytes(done)}`;
  const filled = Math.round(Math.min(1, done / size) * barWidth);
  const bar = `${"█".repeat(filled)}${"░".repeat(barWidth - filled)}`;
  return `  ${bar} ${taskVerb[start.kind]} ${start.label}  ${formatBytes(done)} of ${formatBytes(size)}`;
}
