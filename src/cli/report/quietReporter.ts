import { warningText } from "./eventText.ts";
import type { Reporter } from "./types.ts";

/** Warnings only. */
export function quietReporter(out: NodeJS.WritableStream): Reporter {
  return {
    emit: (event) => {
      if (event.type === "warning") out.write(`${warningText(event)}\n`);
    },
    line: () => {},
    close: () => {},
  };
}
