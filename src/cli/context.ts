import { formatPlace, type SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { openReporter, type Reporter } from "./report/reporter.ts";

/** Options every verb has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** `--color` / `--no-color`; undefined: decided by the terminal and `NO_COLOR`. */
  readonly color?: boolean;
  readonly directory?: string;
}

/** What a verb works with: where it is, how it reports, and when it must stop. */
export interface VerbContext {
  readonly directory: string;
  readonly json: boolean;
  readonly color: boolean;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** Prints a result (not progress) to standard output. */
  print(text: string): void;
}

/** True when colour is wanted: `--color`, else a terminal without `NO_COLOR` (no-color.org) or with `FORCE_COLOR`. */
export function wantsColor(
  option: boolean | undefined,
  stream: NodeJS.WriteStream,
  env = process.env,
): boolean {
  if (option !== undefined) return option;
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Makes the context of one run of a verb. */
export function openContext(options: GlobalOptions, signal: AbortSignal): VerbContext {
  const color = wantsColor(options.color, process.stderr);
  return {
    directory: options.directory ?? process.cwd(),
    json: options.json === true,
    color,
    signal,
    reporter: openReporter({
      json: options.json === true,
      quiet: options.quiet === true,
      color,
      stderr: process.stderr,
      stdout: process.stdout,
    }),
    print: (text) => void process.stdout.write(`${text}\n`),
  };
}

/** One error as the user sees it: `place  error  CODE  message`, then the hint on a line of its own. */
export function errorLines(error: SpacktainersError, color: boolean): string {
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  const place = formatPlace(error.place);
  const head = `${place === "" ? "" : `${place}  `}${red("error")}  ${error.code}  ${error.message}`;
  return error.hint === undefined ? head : `${head}\n  hint: ${error.hint}`;
}

/** An error (or several) as a JSON document, for `--json`. */
export function errorJson(error: SpacktainersError | SpacktainersErrors): object {
  const one = (e: SpacktainersError): object => ({
    code: e.code,
    message: e.message,
    ...e.place,
    ...(e.hint === undefined ? {} : { hint: e.hint }),
  });
  return {
    type: "error",
    errors: error instanceof SpacktainersErrors ? error.errors.map(one) : [one(error)],
  };
}
