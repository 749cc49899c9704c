/**
 * Version sets (what follows `@` in a spec) as Spack reads, combines and prints them.
 * Semantics: `docs/formats.md`, "Versions".
 */
import { SpacktainersError } from "../util/errors.ts";
import type { Dialect } from "./dialect.ts";
import {
  comparePlain,
  compareVersions,
  formatVersion,
  type GitVersion,
  highestVersion,
  isGitVersion,
  lowestVersion,
  nextVersion,
  parsePlainVersion,
  parseVersion,
  previousVersion,
  standsFor,
  type Version,
} from "./version.ts";

export { compareVersions, formatVersion, type GitVersion, parseVersion, type Version } from "./version.ts";

/** All versions from `lo` (included) to `hi` (excluded). */
export interface VersionRange {
  readonly kind: "range";
  readonly lo: Version;
  readonly hi: Version;
}

export type VersionItem = Version | GitVersion | VersionRange;

/** A sorted union of versions and ranges without overlaps. */
export interface VersionSet {
  readonly items: readonly VersionItem[];
}

/** A set with more parts than this is refused. */
const maximumItems = 1000;

const everything: Readonly<Record<Dialect, VersionSet>> = {
  "0.x": { items: [range(lowestVersion("0.x"), nextVersion(highestVersion("0.x")))] },
  "1.x": { items: [range(lowestVersion("1.x"), nextVersion(highestVersion("1.x")))] },
};

/** The set of all versions. Always the same object for a dialect. */
export function anyVersion(dialect: Dialect): VersionSet {
  return everything[dialect];
}

/** True if the set has all versions. */
export function isAnyVersion(set: VersionSet): boolean {
  const [item] = set.items;
  if (item === undefined || set.items.length !== 1 || item.kind !== "range") return false;
  if (set === everything[item.lo.dialect]) return true;
  const [all] = everything[item.lo.dialect].items;
  return all?.kind === "range" && comparePlain(item.lo, all.lo) === 0 && comparePlain(item.hi, all.hi) === 0;
}

function range(lo: Version, hi: Version): VersionRange {
  return { kind: "range", lo, hi };
}

const setCacheLimit = 5_000;
const setCaches: Readonly<Record<Dialect, Map<string, VersionSet>>> = { "0.x": new Map(), "1.x": new Map() };

/**
 * What stands after `@`: `1.2`, `=1.2`, `1.2:1.4,2:`, `git.main=1.2`, `:`. Results are shared and cached.
 * @throws SpacktainersError VERSION_SYNTAX
 */
export function parseVersionSet(text: string, dialect: Dialect): VersionSet {
  const known = setCaches[dialect].get(text);
  if (known !== undefined) return known;
  const parts = text.replaceAll(/\s/g, "").split(",");
  if (parts.length > maximumItems)
    throw new SpacktainersError("VERSION_SYNTAX", `a list of ${parts.length} versions is too long`);
  const items: VersionItem[] = [];
  for (const part of parts) {
    const item = parseItem(part, dialect);
    if (parts.length > 1 && item.kind === "git" && item.assigned === undefined)
      throw new SpacktainersError(
        "VERSION_SYNTAX",
        `it is not known which version ${part} is, so it cannot be in a list`,
        {
          hint: `say it: ${part}=1.2`,
        },
      );
    addItem(items, item);
  }
  const set = { items };
  if (setCaches[dialect].size >= setCacheLimit) setCaches[dialect].clear();
  setCaches[dialect].set(text, set);
  return set;
}

function parseItem(text: string, dialect: Dialect): VersionItem {
  const ends = text.split(":");
  if (ends.length > 2)
    throw new SpacktainersError("VERSION_SYNTAX", `"${text}" has more than one ":"`, {
      hint: "a range is written low:high; separate several ranges with commas",
    });
  const [low = "", high] = ends;
  if (high !== undefined) {
    const lo = low === "" ? lowestVersion(dialect) : parsePlainVersion(low, dialect);
    const hi = nextVersion(high === "" ? highestVersion(dialect) : parsePlainVersion(high, dialect));
    if (comparePlain(hi, lo) < 0)
      throw new SpacktainersError("VERSION_SYNTAX", `the range ${text} is empty`, {
        hint: "the lower version comes first",
      });
    return range(lo, hi);
  }
  if (text.startsWith("=")) return parseVersion(text.slice(1), dialect);
  if (isGitVersion(text)) return parseVersion(text, dialect);
  const version = parsePlainVersion(text, dialect);
  return range(version, nextVersion(version));
}

/** Spack's order of the parts of a set: an exact version comes before a range that begins with it. */
function precedes(a: VersionItem, b: VersionItem): boolean {
  if (a.kind === "range")
    return b.kind === "range"
      ? (comparePlain(a.lo, b.lo) || comparePlain(a.hi, b.hi)) < 0
      : comparePlain(standsFor(b), a.lo) > 0;
  return b.kind === "range" ? comparePlain(standsFor(a), b.lo) <= 0 : compareVersions(a, b) < 0;
}

/** Number of parts that come before the item. */
function insertionPoint(items: readonly VersionItem[], item: VersionItem): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const probe = items[middle];
    if (probe !== undefined && precedes(probe, item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function inRange(version: Version | GitVersion, { lo, hi }: VersionRange): boolean {
  if (version.kind === "git" && version.assigned === undefined) return false;
  const plain = standsFor(version);
  return comparePlain(lo, plain) <= 0 && comparePlain(plain, hi) < 0;
}

function sameVersion(a: Version | GitVersion, b: Version | GitVersion): boolean {
  if (a.kind === "version") return b.kind === "version" && comparePlain(a, b) === 0;
  return (
    b.kind === "git" &&
    a.ref === b.ref &&
    (a.assigned === undefined || b.assigned === undefined
      ? a.assigned === b.assigned
      : comparePlain(a.assigned, b.assigned) === 0)
  );
}

function itemsIntersect(a: VersionItem, b: VersionItem): boolean {
  if (a.kind === "range")
    return b.kind === "range" ? comparePlain(a.lo, b.hi) < 0 && comparePlain(b.lo, a.hi) < 0 : inRange(b, a);
  return b.kind === "range" ? inRange(a, b) : sameVersion(a, b);
}

function itemSatisfies(a: VersionItem, b: VersionItem): boolean {
  if (a.kind === "range")
    return b.kind === "range" && comparePlain(a.lo, b.lo) >= 0 && comparePlain(b.hi, a.hi) >= 0;
  return b.kind === "range" ? inRange(a, b) : sameVersion(a, b);
}

const lower = (a: Version, b: Version) => (comparePlain(b, a) < 0 ? b : a);
const higher = (a: Version, b: Version) => (comparePlain(b, a) > 0 ? b : a);

/** The range together with the item, if they touch or overlap. */
function joined(a: VersionRange, b: VersionItem | undefined): VersionRange | undefined {
  if (b === undefined) return undefined;
  if (b.kind !== "range") return inRange(b, a) ? a : undefined;
  if (comparePlain(a.lo, b.hi) > 0 || comparePlain(b.lo, a.hi) > 0) return undefined;
  return range(lower(a.lo, b.lo), higher(a.hi, b.hi));
}

/** Adds to a sorted list of parts, merging what touches. */
function addItem(items: VersionItem[], item: VersionItem): void {
  let at = insertionPoint(items, item);
  const before = items[at - 1];
  const after = items[at];
  if (item.kind !== "range") {
    if (before !== undefined && itemsIntersect(item, before)) return;
    if (after !== undefined && itemsIntersect(item, after)) return;
    items.splice(at, 0, item);
    return;
  }
  let merged = item;
  for (let union = joined(merged, items[at - 1]); at > 0 && union !== undefined; ) {
    merged = union;
    items.splice(at - 1, 1);
    at -= 1;
    union = joined(merged, items[at - 1]);
  }
  for (let union = joined(merged, items[at]); union !== undefined; union = joined(merged, items[at])) {
    merged = union;
    items.splice(at, 1);
  }
  items.splice(at, 0, merged);
}

function itemIntersection(a: VersionItem, b: VersionItem): VersionItem | undefined {
  if (a.kind !== "range") {
    if (b.kind !== "range") return sameVersion(a, b) ? a : undefined;
    return inRange(a, b) ? a : undefined;
  }
  if (b.kind !== "range") return inRange(b, a) ? b : undefined;
  const lo = higher(a.lo, b.lo);
  const hi = lower(a.hi, b.hi);
  return comparePlain(lo, hi) < 0 ? range(lo, hi) : undefined;
}

/** True if every version of `a` is in `b`. For one exact version: membership. */
export function versionsSatisfy(a: VersionSet | Version | GitVersion, b: VersionSet): boolean {
  const items = "items" in a ? a.items : [a];
  return items.every((left) => b.items.some((right) => itemSatisfies(left, right)));
}

/** True if `a` and `b` have versions in common. */
export function versionsIntersect(a: VersionSet, b: VersionSet): boolean {
  let i = 0;
  let j = 0;
  while (true) {
    const left = a.items[i];
    const right = b.items[j];
    if (left === undefined || right === undefined) return false;
    if (itemsIntersect(left, right)) return true;
    if (precedes(left, right)) i += 1;
    else j += 1;
  }
}

/** Spack lets a range end where it begins (`1.2:1.1`), but no intersection has it. */
function hasEmptyRange(set: VersionSet): boolean {
  return set.items.some((item) => item.kind === "range" && comparePlain(item.lo, item.hi) >= 0);
}

/** The versions in both. Empty (`items` is empty) when there are none. */
export function versionsIntersection(a: VersionSet, b: VersionSet): VersionSet {
  if (isAnyVersion(b) && !hasEmptyRange(a)) return a;
  if (isAnyVersion(a) && !hasEmptyRange(b)) return b;
  const items: VersionItem[] = [];
  for (const [left, right] of [
    [a, b],
    [b, a],
  ] as const)
    for (const item of left.items) {
      // Parts do not overlap, so only the neighbours of where the item would stand can share versions with it.
      const at = insertionPoint(right.items, item);
      for (const neighbour of [right.items[at - 1], right.items[at]]) {
        const common = neighbour === undefined ? undefined : itemIntersection(neighbour, item);
        if (common !== undefined) addItem(items, common);
      }
    }
  return { items };
}

/** The versions in either. */
export function versionsUnion(a: VersionSet, b: VersionSet): VersionSet {
  const items = [...a.items];
  for (const item of b.items) addItem(items, item);
  return { items };
}

/** True if the two sets consist of the same parts. */
export function sameVersions(a: VersionSet, b: VersionSet): boolean {
  if (a.items.length !== b.items.length) return false;
  return a.items.every((left, i) => {
    const right = b.items[i];
    if (right === undefined) return false;
    if (left.kind === "range")
      return (
        right.kind === "range" &&
        comparePlain(left.lo, right.lo) === 0 &&
        comparePlain(left.hi, right.hi) === 0
      );
    return right.kind !== "range" && sameVersion(left, right);
  });
}

/** The one version of a set that has one exact version only, else undefined. */
export function exactVersion(set: VersionSet): Version | GitVersion | undefined {
  const [item] = set.items;
  return set.items.length === 1 && item !== undefined && item.kind !== "range" ? item : undefined;
}

function formatRange({ lo, hi }: VersionRange): string {
  const last = previousVersion(hi);
  const fromLowest = comparePlain(lo, lowestVersion(lo.dialect)) === 0;
  if (!fromLowest && comparePlain(lo, last) === 0) return formatVersion(lo);
  const toHighest = comparePlain(last, highestVersion(lo.dialect)) === 0;
  return `${fromLowest ? "" : formatVersion(lo)}:${toHighest ? "" : formatVersion(last)}`;
}

/** As Spack prints a version set after `@`: `=1.2,1.4:`. */
export function formatVersionSet(set: VersionSet): string {
  return set.items
    .map((item) =>
      item.kind === "range"
        ? formatRange(item)
        : `${item.kind === "version" ? "=" : ""}${formatVersion(item)}`,
    )
    .join(",");
}
