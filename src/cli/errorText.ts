import { formatPlace, type SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";

/** One error as the user sees it: `place  error  CODE  message`, then the hint on a line of its own, and what it says to write below. */
export function errorLines(error: SpacktainersError, color: boolean): string {
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  const place = escapeControlsInLine(formatPlace(error.place));
  const message = escapeControlsInLine(error.message);
  const head = `${place === "" ? "" : `${place}  `}${red("error")}  ${error.code}  ${message}`;
  const hint = error.hint === undefined ? [] : [`  hint: ${escapeControlsInLine(error.hint)}`];
  return [head, ...hint, ...error.example.map((line) => `    ${escapeControlsInLine(line)}`)].join("\n");
}

/** An error (or several) as a JSON document, for `--json`. */
export function errorJson(error: SpacktainersError | SpacktainersErrors): object {
  const one = (e: SpacktainersError): object => ({
    code: e.code,
    message: e.message,
    ...e.place,
    ...(e.hint === undefined ? {} : { hint: e.hint }),
    ...(e.example.length === 0 ? {} : { example: e.example.join("\n") }),
  });
  return {
    type: "error",
    errors: error instanceof SpacktainersErrors ? error.errors.map(one) : [one(error)],
  };
}
