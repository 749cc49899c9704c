/** The page that `build --timings` writes: where the time of a run went, in one file that needs nothing else. */
import { escapeControlsInLine } from "../../../util/escapeControls.ts";
import type { TaskKind } from "../../../util/events.ts";
import { formatBytes, formatDuration } from "../../../util/formatBytes.ts";
import { stageText, taskDone } from "../eventText.ts";
import type { Span, TimedStage, TimedTask, Timings } from "./recordTimings.ts";

/** What a page says besides the times. */
export interface TimingsPageContext {
  /** The command line, as it may be shown. */
  readonly command: string;
  /** Version of this program. */
  readonly version: string;
  /** Processor cores of the machine. */
  readonly cores: number;
}

/** As many of the slowest tasks are listed by themselves. */
const slowest = 15;
/** The chart of what ran at a time has so many steps. */
const steps = 240;

/**
 * Writes the page: HTML 5 with its styles, and without scripts. Bars are placed by shares of the whole time.
 *
 * @returns the same text for the same timings
 */
export function timingsPage(timings: Timings, context: TimingsPageContext): string {
  const { milliseconds, began } = timings;
  const title = `Timings of ${context.command}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>Began ${escapeHtml(began.toISOString())}, took ${formatDuration(milliseconds)}. Spacktainers ${escapeHtml(context.version)}, ${count(context.cores, "core")}.</p>
${kindsTable(timings)}
${concurrency(timings)}
${slowestTable(timings)}
${chart(timings)}
</main>
</body>
</html>
`;
}

/** How many tasks of each kind there were, and how long they took together. */
function kindsTable({ tasks, reused }: Timings): string {
  const kinds = new Set<TaskKind>([...tasks.map(({ kind }) => kind), ...reused.keys()]);
  const rows = [...kinds].map((kind) => {
    const all = tasks.filter((task) => task.kind === kind);
    const sum = total(all.map(lengthOf));
    const bytes = total(all.map((task) => task.bytes ?? 0));
    return `<tr><th scope="row"><i class="key ${kind}"></i>${taskDone[kind]}</th><td>${all.length}</td><td>${reused.get(kind) ?? 0}</td><td>${formatDuration(sum)}</td><td>${bytes === 0 ? "" : formatBytes(bytes)}</td><td>${bytes === 0 || sum < 1 ? "" : `${formatBytes((bytes / sum) * 1000)}/s`}</td></tr>`;
  });
  return `<h2>Work</h2>
<table>
<thead><tr><th scope="col">What</th><th scope="col">Tasks</th><th scope="col">Known already</th><th scope="col">Time, added up</th><th scope="col">Size</th><th scope="col">Each second</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>`;
}

/** How many tasks ran at a time. */
function concurrency({ tasks, milliseconds }: Timings): string {
  if (tasks.length === 0 || milliseconds === 0) return "";
  const step = milliseconds / steps;
  const running = Array.from({ length: steps }, (_, at) => {
    const [from, to] = [at * step, (at + 1) * step];
    return (
      total(tasks.map(({ start, end }) => Math.max(0, Math.min(end, to) - Math.max(start, from)))) / step
    );
  });
  const most = Math.max(1, ...running);
  const height = 60;
  const points = running.flatMap((value, at) => {
    const y = round(height - (value / most) * height);
    return [`${at},${y}`, `${at + 1},${y}`];
  });
  const mean = total(tasks.map(lengthOf)) / milliseconds;
  const words = `Tasks at a time: ${round(most)} at most, ${round(mean)} on average.`;
  return `<h2>Tasks at a time</h2>
<svg class="load" viewBox="0 0 ${steps} ${height}" preserveAspectRatio="none" role="img" aria-label="${words}"><polygon points="0,${height} ${points.join(" ")} ${steps},${height}"/></svg>
<p>${words}</p>`;
}

/** What took longest. */
function slowestTable({ tasks, containers }: Timings): string {
  const where = ({ container }: TimedTask): string =>
    containers.length > 1 && container !== undefined ? ` <small>${escapeHtml(container)}</small>` : "";
  const rows = [...tasks]
    .sort((a, b) => lengthOf(b) - lengthOf(a) || a.start - b.start)
    .slice(0, slowest)
    .map(
      (task) =>
        `<tr><th scope="row"><i class="key ${task.kind}"></i>${taskName(task)}${where(task)}</th><td>${formatDuration(lengthOf(task))}</td><td>${formatDuration(task.start)}</td><td>${task.bytes === undefined ? "" : formatBytes(task.bytes)}</td></tr>`,
    );
  if (rows.length === 0) return "";
  return `<h2>What took longest</h2>
<table>
<thead><tr><th scope="col">Task</th><th scope="col">Time</th><th scope="col">Began after</th><th scope="col">Size</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>`;
}

/** Every stage and task as a bar, by container. */
function chart(timings: Timings): string {
  const { containers, stages, tasks, milliseconds } = timings;
  const sections = [
    ...containers.map(({ name, outcome, ...span }) => ({
      title: `${name}${outcome === "failed" ? ": failed" : ""}`,
      span,
      stages: stages.filter(({ container, start }) => container === name && isWithin(start, span)),
      tasks: tasks.filter(({ container, start }) => container === name && isWithin(start, span)),
    })),
  ];
  const rest = {
    title: containers.length === 0 ? "All of it" : "Before, between and after",
    span: { start: 0, end: milliseconds },
    stages: stages.filter(({ container }) => container === undefined),
    tasks: tasks.filter(({ container }) => container === undefined),
  };
  if (rest.stages.length + rest.tasks.length > 0) sections.push(rest);
  return sections
    .map(({ title, span, stages: parts, tasks: pieces }) => {
      const rows = rowsOf(parts, pieces).map((row) =>
        "stage" in row ? stageRow(row, milliseconds) : taskRow(row, milliseconds),
      );
      return `<h2>${escapeHtml(title)}</h2>
<table class="chart">
<caption>${formatDuration(span.end - span.start)}, from ${formatDuration(span.start)} on</caption>
<thead><tr><th scope="col">Task</th><th scope="col">Time</th><th scope="col">When</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>`;
    })
    .join("\n");
}

/** Stages, each before its tasks. */
function rowsOf(
  stages: readonly TimedStage[],
  tasks: readonly TimedTask[],
): readonly (TimedStage | TimedTask)[] {
  const rows = [...stages, ...tasks];
  return rows.sort((a, b) => a.start - b.start || Number("kind" in a) - Number("kind" in b));
}

function stageRow(stage: TimedStage, whole: number): string {
  return `<tr class="stage"><th scope="row">${stageText[stage.stage]}</th><td>${formatDuration(lengthOf(stage))}</td><td class="track">${bar(stage, whole, "stage", "")}</td></tr>`;
}

function taskRow(task: TimedTask, whole: number): string {
  const bars =
    task.phases.length === 0
      ? bar(task, whole, task.kind, "")
      : task.phases.map((phase, at) => bar(phase, whole, `${task.kind} phase${at % 2}`, phase.name)).join("");
  return `<tr${task.outcome === "failed" ? ' class="failed"' : ""}><th scope="row">${taskName(task)}${task.outcome === "failed" ? " (failed)" : ""}</th><td>${formatDuration(lengthOf(task))}</td><td class="track">${bars}</td></tr>`;
}

function bar(span: Span, whole: number, kind: string, name: string): string {
  const share = (value: number): number => (whole === 0 ? 0 : round((value / whole) * 100, 3));
  const title = `${name === "" ? "" : `${name}: `}${formatDuration(lengthOf(span))}`;
  return `<i class="bar ${kind}" style="left:${share(span.start)}%;width:${share(lengthOf(span))}%" title="${escapeHtml(title)}"></i>`;
}

function taskName({ kind, label }: TimedTask): string {
  return `${taskDone[kind]} ${escapeHtml(escapeControlsInLine(label))}`;
}

function isWithin(at: number, { start, end }: Span): boolean {
  return at >= start && at <= end;
}

function lengthOf({ start, end }: Span): number {
  return end - start;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Text as it may stand in an element and in an attribute. */
function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** Hues by kind; each has the contrast of 3 to 1 that graphics need, in both schemes. */
const hues: Readonly<Record<TaskKind, number>> = {
  index: 200,
  lookup: 185,
  download: 215,
  pull: 230,
  push: 275,
  install: 130,
  base: 45,
  check: 60,
  write: 25,
  unpack: 150,
  run: 300,
  compile: 350,
};

const style = `
:root{color-scheme:light dark;--ink:#1b2430;--paper:#fff;--line:#d5dbe2;--soft:#f3f5f8;--light:38%}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ef;--paper:#12171d;--line:#333d48;--soft:#1b222b;--light:62%}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);font-weight:400;vertical-align:top}
thead th{font-weight:600}td{white-space:nowrap;font-variant-numeric:tabular-nums}th[scope=row]{overflow-wrap:anywhere}
caption{text-align:left;padding-bottom:.4rem}
.chart{table-layout:fixed}.chart th:first-child{width:32%}.chart th:nth-child(2){width:5.5rem}
.stage th,.stage td{font-weight:600;background:var(--soft)}.failed th{text-decoration:underline wavy}
.track{position:relative;padding:0}
.bar{position:absolute;top:.3rem;height:.9rem;min-width:2px;border-radius:2px;background:var(--ink)}
.stage .bar{height:.3rem;top:.6rem;opacity:.6}.phase1{opacity:.65}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.5rem;vertical-align:-.05rem}
.load{width:100%;height:4rem;background:var(--soft)}.load polygon{fill:hsl(215 60% var(--light))}
${Object.entries(hues)
  .map(([kind, hue]) => `.${kind}{background:hsl(${hue} 60% var(--light))}`)
  .join("\n")}
@media (max-width:40rem){.chart th:first-child{width:45%}.chart th:nth-child(2){width:4.5rem}}
`.trim();
