import { jsonReporter } from "./jsonReporter.ts";
import { plainReporter } from "./plainReporter.ts";
import { quietReporter } from "./quietReporter.ts";
import { terminalReporter } from "./terminalReporter.ts";
import type { Reporter, ReportOptions } from "./types.ts";

/** The renderer for this terminal and these options. */
export function openReporter(options: ReportOptions): Reporter {
  if (options.json) return jsonReporter(options.stdout);
  if (options.quiet) return quietReporter(options.stderr);
  if (options.stderr.isTTY && process.env.TERM !== "dumb")
    return terminalReporter(options.stderr, options.color);
  return plainReporter(options.stderr);
}
