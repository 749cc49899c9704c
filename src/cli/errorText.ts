import { errorsOf, formatPlace, type SpacktainersError, type SpacktainersErrors } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import type { ErrorEntry } from "./verbResults.ts";

/** One error as the user sees it: `place  error  CODE  message`, then the hint on a line of its own, and what it says to write below. */
export function errorLines(error: SpacktainersError, color: boolean): string {
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  const place = escapeControlsInLine(formatPlace(error.place));
  const message = escapeControlsInLine(error.message);
  const head = `${place === "" ? "" : `${place}  `}${red("error")}  ${error.code}  ${message}`;
  const hint = error.hint === undefined ? [] : [`  hint: ${escapeControlsInLine(error.hint)}`];
  return [head, ...hint, ...error.example.map((line) => `    ${escapeControlsInLine(line)}`)].join("\n");
}

/** An error as an entry of a JSON document. */
export function errorEntry({ code, message, place, hint, example }: SpacktainersError): ErrorEntry {
  return {
    code,
    message,
    ...place,
    ...(hint === undefined ? {} : { hint }),
    ...(example.length === 0 ? {} : { example: example.join("\n") }),
  };
}

/** An error (or several) as a JSON document, for `--json`. */
export function errorJson(error: SpacktainersError | SpacktainersErrors): {
  readonly type: "error";
  readonly errors: readonly ErrorEntry[];
} {
  return { type: "error", errors: errorsOf(error).map(errorEntry) };
}
