import type { Reporter, ReportStream } from "./types.ts";

/** JSON lines: every event as it is, one a line, for programs. */
export function jsonReporter(out: ReportStream): Reporter {
  return {
    emit: (event) => void out.write(`${JSON.stringify(event)}\n`),
    line: () => {},
    close: () => {},
  };
}
