import { buildFailureLines, warningText } from "./eventText.ts";
import type { Reporter, ReportStream } from "./types.ts";

/** Warnings, and why packages could not be built. */
export function quietReporter(out: ReportStream): Reporter {
  return {
    emit: (event) => {
      if (event.type === "warning") out.write(`${warningText(event)}\n`);
      if (event.type === "build-failure") out.write(`${buildFailureLines(event).join("\n")}\n`);
    },
    line: () => {},
    close: () => {},
  };
}
