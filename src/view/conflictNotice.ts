import type { MergedView } from "./types.ts";

/** Examples in the sentence. */
const shownExamples = 3;

/**
 * Says that packages have files for the same path of the view, of which the first one is shown; undefined when none have.
 * Paths of two links to one file are no conflict and do not get here.
 */
export function conflictNotice({ conflicts, viewPath }: MergedView): string | undefined {
  const [first] = conflicts;
  if (first === undefined) return undefined;
  const examples = conflicts
    .slice(0, shownExamples)
    .map(
      ({ path, winner, losers }) =>
        `${viewPath}/${path} comes from ${winner}, not from ${losers.join(" or ")}`,
    );
  const more = conflicts.length > shownExamples ? ` (and ${conflicts.length - shownExamples} more)` : "";
  const count = conflicts.length === 1 ? "one path" : `${conflicts.length} paths`;
  return `several packages have a file for ${count} of the view: ${examples.join("; ")}${more}`;
}
