/** How long building takes: the longest chain of packages that wait for one another, and the time with so many at once. */
import type { DagHash } from "../spec/concrete.ts";

/** What an estimate is made from: packages, each after those that it waits for. */
export type Work = readonly { readonly hash: DagHash; readonly after: readonly DagHash[] }[];

/** How long building takes. */
export interface WorkEstimate {
  /** Packages of which the time is known; the others count as long as these do on average. */
  readonly known: number;
  /** Seconds with so many packages at once. */
  readonly seconds: number;
  /** The chain of packages that takes longest, in order. */
  readonly criticalPath: readonly DagHash[];
  /** Seconds of that chain. */
  readonly criticalSeconds: number;
  /** Of each package: seconds from its beginning until everything that waits for it is done. */
  readonly remaining: ReadonlyMap<DagHash, number>;
}

/** What a package counts when nothing is known of any, in seconds: only their number matters then. */
const unknownSeconds = 30;

/**
 * Estimates. What is not known is guessed, so look at {@link WorkEstimate.known} before telling anybody.
 *
 * @param work every package after those it waits for; what is not in it counts as done
 * @param secondsOf known time of a package
 * @param atOnce packages at a time
 */
export function estimateWork(
  work: Work,
  secondsOf: (hash: DagHash) => number | undefined,
  atOnce: number,
): WorkEstimate {
  const knownSeconds = work.flatMap(({ hash }) => secondsOf(hash) ?? []);
  const guess =
    knownSeconds.length === 0
      ? unknownSeconds
      : knownSeconds.reduce((sum, each) => sum + each, 0) / knownSeconds.length;
  const seconds = (hash: DagHash): number => secondsOf(hash) ?? guess;

  const remaining = new Map<DagHash, number>();
  const next = new Map<DagHash, DagHash>();
  for (const { hash, after } of [...work].reverse()) {
    const own = seconds(hash) + (remaining.get(hash) ?? 0);
    remaining.set(hash, own);
    for (const before of after)
      if (own > (remaining.get(before) ?? 0)) {
        remaining.set(before, own);
        next.set(before, hash);
      }
  }
  let first: DagHash | undefined;
  for (const { hash } of work)
    if (first === undefined || (remaining.get(hash) ?? 0) > (remaining.get(first) ?? 0)) first = hash;
  const criticalPath: DagHash[] = [];
  for (let at = first; at !== undefined; at = next.get(at)) criticalPath.push(at);
  return {
    known: knownSeconds.length,
    seconds: wallSeconds(work, seconds, remaining, atOnce),
    criticalPath,
    criticalSeconds: first === undefined ? 0 : (remaining.get(first) ?? 0),
    remaining,
  };
}

/** Plays the schedule through: of what is ready, what the most waits for begins first. */
function wallSeconds(
  work: Work,
  seconds: (hash: DagHash) => number,
  remaining: ReadonlyMap<DagHash, number>,
  atOnce: number,
): number {
  const names = new Set(work.map(({ hash }) => hash));
  const waits = new Map(
    work.map(({ hash, after }) => [hash, after.filter((each) => names.has(each)).length]),
  );
  const dependents = new Map<DagHash, DagHash[]>();
  for (const { hash, after } of work)
    for (const before of after) dependents.set(before, [...(dependents.get(before) ?? []), hash]);
  const ready = work.flatMap(({ hash }) => (waits.get(hash) === 0 ? hash : []));
  const running: { hash: DagHash; end: number }[] = [];
  let now = 0;
  while (ready.length > 0 || running.length > 0) {
    ready.sort((a, b) => (remaining.get(b) ?? 0) - (remaining.get(a) ?? 0));
    while (running.length < atOnce) {
      const hash = ready.shift();
      if (hash === undefined) break;
      running.push({ hash, end: now + seconds(hash) });
    }
    running.sort((a, b) => a.end - b.end);
    const done = running.shift();
    if (done === undefined) break;
    now = done.end;
    for (const dependent of dependents.get(done.hash) ?? []) {
      const left = (waits.get(dependent) ?? 0) - 1;
      waits.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  }
  return now;
}
