import { type Outcome, outcomeErrors, resultsOf } from "../pipeline/workspace/outcomes.ts";
import { oneError } from "../util/errors.ts";

/**
 * The results of all, where nothing went wrong for any.
 *
 * @throws {SpacktainersError} what went wrong; `SpacktainersErrors` for several, each with the name of what it is about
 */
export function resultsOrThrow<Result>(outcomes: readonly Outcome<unknown, Result>[]): readonly Result[] {
  const errors = outcomeErrors(outcomes);
  if (errors.length > 0) throw oneError(errors);
  return resultsOf(outcomes);
}
