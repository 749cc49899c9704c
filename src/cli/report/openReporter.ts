import { escapeControlsInLine } from "../../util/escapeControls.ts";
import type { WorkEvent } from "../../util/events.ts";
import { jsonReporter } from "./jsonReporter.ts";
import { plainReporter } from "./plainReporter.ts";
import { quietReporter } from "./quietReporter.ts";
import { terminalReporter } from "./terminalReporter.ts";
import type { Reporter, ReportOptions } from "./types.ts";

/**
 * The renderer for this terminal and these options. What it shows cannot act on the terminal, whoever
 * named it; every task that was begun ends, if only when it is closed.
 */
export function openReporter(options: ReportOptions): Reporter {
  const reporter = rendererFor(options);
  const running = new Set<string>();
  let closed = false;
  return {
    emit: (event) => {
      // What is still on its way when a verb has ended has failed already.
      if (closed) return;
      if (event.type === "task-start") running.add(event.id);
      if (event.type === "task-end") running.delete(event.id);
      reporter.emit(harmless(event));
    },
    line: (text) => reporter.line(escapeControlsInLine(text)),
    close: () => {
      if (closed) return;
      for (const id of running)
        reporter.emit({ type: "task-end", id: escapeControlsInLine(id), outcome: "failed" });
      closed = true;
      reporter.close();
    },
  };
}

/** The event with all of its texts escaped. */
function harmless(event: WorkEvent): WorkEvent {
  // By far the most frequent, and its only text is an identifier nobody shows.
  if (event.type === "task-progress") return event;
  const escaped = (value: unknown): unknown => {
    if (typeof value === "string") return escapeControlsInLine(value);
    if (Array.isArray(value)) return value.map(escaped);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(escaped);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner)]));
  };
  return escaped(event) as WorkEvent;
}

function rendererFor(options: ReportOptions): Reporter {
  if (options.json) return jsonReporter(options.stdout);
  if (options.quiet) return quietReporter(options.stderr);
  if (options.stderr.isTTY && process.env.TERM !== "dumb")
    return terminalReporter(options.stderr, options.color);
  return plainReporter(options.stderr);
}
