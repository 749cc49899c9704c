import type { EmitEvent } from "../../util/events.ts";
import { jsonReporter } from "./jsonReporter.ts";
import { plainReporter } from "./plainReporter.ts";
import { quietReporter } from "./quietReporter.ts";
import { terminalReporter } from "./terminalReporter.ts";

/** Renders events while work runs. All of it goes to standard error or, for `--json`, to standard output as JSON lines. */
export interface Reporter {
  readonly emit: EmitEvent;
  /** Prints one line that stays, above any live display. */
  line(text: string): void;
  /** Takes the live display down; nothing is rendered afterwards. */
  close(): void;
}

/** How a user asked for output. */
export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Colour and live display. */
  readonly color: boolean;
  readonly stderr: NodeJS.WriteStream;
  readonly stdout: NodeJS.WriteStream;
}

/** The renderer for this terminal and these options. */
export function openReporter(options: ReportOptions): Reporter {
  if (options.json) return jsonReporter(options.stdout);
  if (options.quiet) return quietReporter(options.stderr);
  if (options.stderr.isTTY && process.env.TERM !== "dumb")
    return terminalReporter(options.stderr, options.color);
  return plainReporter(options.stderr);
}
