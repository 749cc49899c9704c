/** Finding many prefixes in many megabytes, quickly: the one inner loop of relocation. */

/** An old prefix and what it becomes. */
export interface PrefixPair {
  readonly from: Buffer;
  readonly to: Buffer;
}

/** A place where an old prefix was found. */
export interface PrefixHit {
  readonly at: number;
  readonly pair: PrefixPair;
}

/** Finds the leftmost hit at or after `from`. Positions asked for must not decrease. */
export type NextHit = (from: number) => PrefixHit | undefined;

/** Prefixes prepared for searching. */
export interface PrefixSearch {
  /** In the order in which they are tried at one position. */
  readonly pairs: readonly PrefixPair[];
  /** Starts a search from the beginning of `data`. Bytes before the last position asked for may be changed meanwhile. */
  start(data: Buffer): NextHit;
  /** The pair whose old prefix stands at `at`: the first in order; undefined when none does. */
  matchAt(data: Buffer, at: number): PrefixPair | undefined;
}

/**
 * Prepares prefixes for searching.
 *
 * All package prefixes of one install tree begin with its root, so one search for the root finds the candidates of all.
 * In general: only prefixes that do not themselves begin with another one are searched for (`Buffer.indexOf`, native
 * speed), and the whole list is tried where one of those is found.
 *
 * @param pairs none with an empty `from`; order decides between prefixes that match at the same position
 */
export function makePrefixSearch(pairs: readonly PrefixPair[]): PrefixSearch {
  const stems = stemsOf(pairs.map((pair) => pair.from));
  const matchAt = (data: Buffer, at: number): PrefixPair | undefined => {
    for (const pair of pairs) {
      const end = at + pair.from.length;
      if (end <= data.length && data.compare(pair.from, 0, pair.from.length, at, end) === 0) return pair;
    }
    return undefined;
  };
  return {
    pairs,
    matchAt,
    start(data) {
      const next = stems.map((stem) => indexAfter(data, stem, 0));
      return (from) => {
        let at = Number.POSITIVE_INFINITY;
        for (const [index, stem] of stems.entries()) {
          let position = next[index] ?? Number.POSITIVE_INFINITY;
          if (position < from) {
            position = indexAfter(data, stem, from);
            next[index] = position;
          }
          if (position < at) at = position;
        }
        if (at === Number.POSITIVE_INFINITY) return undefined;
        // A stem is a prefix in the list, so one of them matches here.
        const pair = matchAt(data, at);
        return pair === undefined ? undefined : { at, pair };
      };
    },
  };
}

function indexAfter(data: Buffer, stem: Buffer, from: number): number {
  const position = data.indexOf(stem, from);
  return position < 0 ? Number.POSITIVE_INFINITY : position;
}

/** The strings that begin with no other of the list, each once. */
function stemsOf(all: readonly Buffer[]): Buffer[] {
  const stems: Buffer[] = [];
  for (const candidate of [...all].sort((a, b) => a.length - b.length)) {
    if (!stems.some((stem) => candidate.subarray(0, stem.length).equals(stem))) stems.push(candidate);
  }
  return stems;
}
