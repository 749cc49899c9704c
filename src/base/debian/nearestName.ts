/** The name at the smallest edit distance, if that is at most 2; of several the first in the alphabet. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = 3;
  for (const other of names) {
    if (Math.abs(other.length - name.length) > 2) continue;
    const distance = editDistance(name, other, least + 1);
    if (distance < least || (distance === least && best !== undefined && other < best)) {
      best = other;
      least = distance;
    }
  }
  return best;
}

/** Levenshtein distance, or `limit` when it is not less. */
function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length] ?? limit;
}
