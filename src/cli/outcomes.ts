/** What became of several containers, printed: a row each, then everything that went wrong. */
import type { Definition } from "../definitions/container.ts";
import { type ContainerOutcome, namedErrors, type Outcome } from "../pipeline/workspace/outcomes.ts";
import { oneError, type SpacktainersError } from "../util/errors.ts";
import type { VerbContext } from "./context.ts";
import { errorEntry } from "./errorText.ts";
import type { ResultsOfSeveral } from "./verbResults.ts";

/** How one outcome is printed. */
export interface OutcomePrinter<Verb extends keyof ResultsOfSeveral, Subject, Result> {
  /** Whose lines these are. */
  readonly verb: Verb;
  /** For programs: what names the subject in a line about it. */
  subject(subject: Subject, name: string): object;
  /** For programs: the line of what was done; several, where a subject has several. */
  json(result: Result): ResultsOfSeveral[Verb] | readonly ResultsOfSeveral[Verb][];
  /** For people; undefined: nothing. */
  text(result: Result): string | undefined;
  /** For people: what is drawn below the text; undefined: nothing. */
  drawing?(result: Result): string | undefined;
  /** What went wrong with a part of what was done. */
  errors?(result: Result): readonly SpacktainersError[];
  /** For people: the last line, below all rows. */
  readonly last?: string | undefined;
}

/**
 * Prints a row for each outcome. Of a single one that failed there is nothing to say but its errors.
 *
 * @throws everything that went wrong; the first error decides the exit status
 */
export function printOutcomes<Verb extends keyof ResultsOfSeveral, Subject, Result>(
  { json, print, draw }: Pick<VerbContext, "json" | "print" | "draw">,
  outcomes: readonly Outcome<Subject, Result>[],
  printer: OutcomePrinter<Verb, Subject, Result>,
): void {
  const several = outcomes.length > 1;
  for (const outcome of outcomes) {
    const lines = json ? jsonLines(outcome, several, printer) : textLines(outcome, several, printer);
    for (const line of lines) print(line);
    const drawn = json || outcome.state !== "done" ? undefined : printer.drawing?.(outcome.result);
    if (drawn !== undefined) draw(drawn);
  }
  if (!json && printer.last !== undefined) print(printer.last);
  const found = outcomes.flatMap((outcome) =>
    errorsOfOutcome(outcome, printer).map((error) => ({ name: outcome.name, error })),
  );
  const errors = namedErrors(found, { several });
  if (errors.length > 0) throw oneError(errors);
}

function errorsOfOutcome<Verb extends keyof ResultsOfSeveral, Subject, Result>(
  outcome: Outcome<Subject, Result>,
  printer: OutcomePrinter<Verb, Subject, Result>,
): readonly SpacktainersError[] {
  if (outcome.state === "done") return printer.errors?.(outcome.result) ?? [];
  return outcome.state === "failed" ? outcome.errors : [];
}

function jsonLines<Verb extends keyof ResultsOfSeveral, Subject, Result>(
  outcome: Outcome<Subject, Result>,
  several: boolean,
  printer: OutcomePrinter<Verb, Subject, Result>,
): readonly string[] {
  const errors = errorsOfOutcome(outcome, printer);
  const failed = errors.length > 0;
  if (outcome.state === "done")
    return [printer.json(outcome.result)]
      .flat()
      .map((line) => JSON.stringify({ type: "result", ...line, failed }));
  if (!several) return [];
  const facts = outcome.state === "failed" ? { errors: errors.map(errorEntry) } : { skipped: true };
  const subject = printer.subject(outcome.subject, outcome.name);
  return [JSON.stringify({ type: "result", ...subject, failed, ...facts })];
}

function textLines<Verb extends keyof ResultsOfSeveral, Subject, Result>(
  outcome: Outcome<Subject, Result>,
  several: boolean,
  printer: OutcomePrinter<Verb, Subject, Result>,
): readonly string[] {
  if (outcome.state === "done") {
    const text = printer.text(outcome.result);
    return text === undefined ? [] : [text];
  }
  if (!several) return [];
  if (outcome.state === "skipped") return [`${outcome.name}  not tried`];
  const count = outcome.errors.length;
  return [`${outcome.name}  failed${count > 1 ? `: ${count} errors` : ""}`];
}

/** As {@link printOutcomes}, for containers. */
export function printContainers<Verb extends keyof ResultsOfSeveral, Result>(
  context: Pick<VerbContext, "json" | "print" | "draw">,
  outcomes: readonly ContainerOutcome<Result>[],
  printer: Omit<OutcomePrinter<Verb, Definition, Result>, "subject">,
): void {
  printOutcomes(context, outcomes, { ...printer, subject: ({ name, arch }) => ({ name, arch }) });
}
