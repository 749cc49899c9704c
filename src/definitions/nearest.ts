/** "Did you mean": which known names are close to one that is not known. */

/** Longest name that is compared; anything longer is not a misspelling of a known name. */
const longestName = 100;

/**
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, each counting 1.
 *
 * @param limit give up (and return `limit + 1`) once the distance is known to exceed this
 */
export function editDistance(a: string, b: string, limit = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let smallest = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
      smallest = Math.min(smallest, cost);
    }
    if (smallest > limit) return limit + 1;
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** How many characters may differ. */
function tolerance({ length }: string): number {
  if (length < 5) return 1;
  return Math.min(4, Math.max(2, Math.floor(length / 3)));
}

/**
 * The known names closest to an unknown one, each once, best first (ties in alphabetical order). A name qualifies when few
 * characters differ (one of up to four, two of up to eight, a third of longer ones, at most four), in all of it or in one of the parts
 * between its hyphens, or when one contains the other.
 *
 * @param most how many to return
 */
export function nearestNames(unknown: string, known: Iterable<string>, most = 3): string[] {
  if (unknown.length === 0 || unknown.length > longestName) return [];
  const wanted = unknown.toLowerCase();
  const limit = tolerance(wanted);
  const found: { readonly name: string; readonly distance: number }[] = [];
  for (const name of new Set(known)) {
    if (name.length === 0 || name.length > longestName) continue;
    const lower = name.toLowerCase();
    const distance = editDistance(wanted, lower, limit);
    if (distance <= limit) found.push({ name, distance });
    else if (wanted.length >= 3 && (lower.includes(wanted) || (lower.length >= 3 && wanted.includes(lower))))
      found.push({ name, distance: limit + 1 });
    else if (isNearPart(wanted, lower)) found.push({ name, distance: limit + 2 });
  }
  // What differs in nothing but capitals is what is meant.
  const isMeant = found.some(({ distance }) => distance === 0);
  return found
    .filter(({ distance }) => !isMeant || distance === 0)
    .sort((x, y) => x.distance - y.distance || (x.name < y.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name);
}

/** Short parts are near to too much. */
const shortestPart = 5;

function isNearPart(wanted: string, name: string): boolean {
  if (wanted.length < shortestPart || !name.includes("-")) return false;
  return name.split("-").some((part) => {
    const limit = Math.floor(part.length / 4);
    return part.length >= shortestPart && editDistance(wanted, part, limit) <= limit;
  });
}

/** A hint that names the nearest known names, or undefined when nothing is near. */
export function didYouMean(unknown: string, known: Iterable<string>): string | undefined {
  const near = nearestNames(unknown, known);
  const quoted = near.map((name) => `\`${name}\``);
  const last = quoted.pop();
  if (last === undefined) return undefined;
  return `did you mean ${quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`}?`;
}
