import { formatPlace } from "../../util/errors.ts";
import type { TaskKind, WorkEvent } from "../../util/events.ts";

/** What a running task is doing, as people say it. */
export const taskVerb: Record<TaskKind, string> = {
  index: "reading index",
  lookup: "looking up",
  download: "downloading",
  pull: "pulling",
  push: "pushing",
  install: "installing",
  base: "base",
  view: "merging view",
  check: "checking",
  write: "writing",
  unpack: "unpacking",
  run: "starting",
};

/** What a finished task did. */
export const taskDone: Record<TaskKind, string> = {
  index: "read index",
  lookup: "looked up",
  download: "downloaded",
  pull: "pulled",
  push: "pushed",
  install: "installed",
  base: "base",
  view: "merged view",
  check: "checked",
  write: "wrote",
  unpack: "unpacked",
  run: "started",
};

/** A warning as one line, with its place in front and its hint behind. */
export function warningText(event: Extract<WorkEvent, { type: "warning" }>): string {
  const place = event.place === undefined ? "" : formatPlace(event.place);
  const hint = event.hint === undefined ? "" : ` (${event.hint})`;
  return `${place === "" ? "" : `${place}  `}warning  ${event.message}${hint}`;
}

/** A retry as one line. */
export function retryText(event: Extract<WorkEvent, { type: "retry" }>): string {
  return `retry ${event.attempt} in ${(event.delayMs / 1000).toFixed(1)} s: ${event.reason} (${event.url})`;
}
