import { warningText } from "./eventText.ts";
import type { Reporter, ReportStream } from "./types.ts";

/** Warnings only. */
export function quietReporter(out: ReportStream): Reporter {
  return {
    emit: (event) => {
      if (event.type === "warning") out.write(`${warningText(event)}\n`);
    },
    line: () => {},
    close: () => {},
  };
}
