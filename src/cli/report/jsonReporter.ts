import type { Reporter } from "./types.ts";

/** JSON lines: every event as it is, one a line, for programs. */
export function jsonReporter(out: NodeJS.WritableStream): Reporter {
  return {
    emit: (event) => void out.write(`${JSON.stringify(event)}\n`),
    line: () => {},
    close: () => {},
  };
}
