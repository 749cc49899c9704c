import type { WorkEvent } from "../../util/events.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { containerTitle, retryText, stageTitle, taskDone, waitingText, warningText } from "./eventText.ts";
import type { Reporter, ReportStream } from "./types.ts";

type TaskStart = Extract<WorkEvent, { type: "task-start" }>;

/** One line for every stage and every finished task: for logs and terminals that cannot move the cursor. */
export function plainReporter(out: ReportStream): Reporter {
  const running = new Map<string, TaskStart>();
  const print = (text: string): void => void out.write(`${text}\n`);
  return {
    emit: (event) => {
      switch (event.type) {
        case "container-start":
          // Of a single one, everything is about it.
          if (event.total > 1) print(containerTitle(event));
          break;
        case "container-end":
          break;
        case "stage": {
          const title = stageTitle(event);
          print(event.total === undefined ? title : `${title} (${event.total})`);
          break;
        }
        case "job":
          print(stageTitle(event));
          break;
        case "task-start":
          running.set(event.id, event);
          break;
        case "task-progress":
          break;
        case "task-end": {
          const task = running.get(event.id);
          running.delete(event.id);
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
