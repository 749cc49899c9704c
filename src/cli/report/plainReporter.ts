import type { WorkEvent } from "../../util/events.ts";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import {
  buildFailureLines,
  containerTitle,
  retryText,
  stageTitle,
  taskDone,
  waitingText,
  warningText,
} from "./eventText.ts";
import type { Reporter, ReportStream } from "./types.ts";

type TaskStart = Extract<WorkEvent, { type: "task-start" }>;

/** One line for every stage and every finished task: for logs and terminals that cannot move the cursor. */
export function plainReporter(out: ReportStream): Reporter {
  const running = new Map<string, { readonly start: TaskStart; readonly since: number }>();
  let counts: string | undefined;
  let total = 0;
  let done = 0;
  let left: number | undefined;
  /** In front of lines about what is done for one of several containers. */
  let container = "";
  /** How far a stage is whose tasks take long, and how long it will still take. */
  const progress = (): string =>
    `(${done} of ${total}${left === undefined || done >= total ? "" : `, about ${formatDuration(left * 1000)} left`})`;
  const print = (text: string): void => void out.write(`${text}\n`);
  return {
    emit: (event) => {
      switch (event.type) {
        case "container-start":
          // If there is only one, everything is about it.
          if (event.total === 1) break;
          print(containerTitle(event));
          container = `${event.container}  `;
          break;
        case "container-end":
          container = "";
          break;
        case "stage": {
          const title = stageTitle(event);
          [counts, total, done, left] = [event.counts, event.total ?? 0, 0, undefined];
          print(`${container}${title}${event.total === undefined ? "" : ` (${event.total})`}`);
          break;
        }
        case "job":
          print(`${container}${stageTitle(event)}`);
          break;
        case "task-start":
          running.set(event.id, { start: event, since: performance.now() });
          break;
        case "task-progress":
        case "task-phase":
          break;
        case "time-left":
          left = event.seconds;
          break;
        case "build-failure":
          for (const line of buildFailureLines(event)) print(line);
          break;
        case "task-end": {
          const { start: task, since = 0 } = running.get(event.id) ?? {};
          running.delete(event.id);
          if (task?.kind === counts && event.outcome !== "failed") done++;
          if (task?.kind === "compile" && event.outcome === "done") {
            // These take minutes: in the log of a pipeline each says how far it all is.
            print(
              `  ${taskDone.compile} ${task.label}  ${formatDuration(performance.now() - since)}  ${progress()}`,
            );
            break;
          }
          // Looking up is quick, and says nothing that what follows does not say.
          if (task === undefined || task.kind === "lookup" || event.outcome === "failed") break;
          const size = event.bytes === undefined ? "" : `  ${formatBytes(event.bytes)}`;
          if (event.outcome === "done") print(`  ${taskDone[task.kind]} ${task.label}${size}`);
          break;
        }
        case "warning":
          print(warningText(event));
          break;
        case "retry":
          print(retryText(event));
          break;
        case "waiting":
          print(waitingText(event));
          break;
      }
    },
    line: print,
    close: () => {},
  };
}
