/**
 * One version as Spack reads, orders and prints it.
 * Semantics: `docs/formats.md`, "Versions". Versions of the two dialects are never mixed: the words that sort above all
 * numbers (`develop`, `main`, …) differ.
 */
import { SpacktainersError } from "../util/errors.ts";
import type { Dialect } from "./dialect.ts";

/** A word that sorts above every number, such as `develop`. */
export interface InfinityWord {
  readonly rank: number;
}

/** One segment of a version. Numbers beyond 2^53 are bigints. */
export type VersionSegment = number | bigint | string | InfinityWord;

/** One exact version, such as `=1.2.3`. */
export interface Version {
  readonly kind: "version";
  readonly dialect: Dialect;
  readonly text: string;
  readonly release: readonly VersionSegment[];
  /** 0 alpha, 1 beta, 2 release candidate, 3 final; then the number of the pre-release, if it has one. */
  readonly prerelease: readonly [phase: number, number?: number | bigint];
  /** What stood after each segment; for printing only. */
  readonly separators: readonly string[];
}

/** `git.REF=1.2`, a commit, or `git.REF`. Without an assigned version only equality of the reference can be told. */
export interface GitVersion {
  readonly kind: "git";
  readonly text: string;
  readonly ref: string;
  readonly assigned: Version | undefined;
}

/** Words that sort above every number, ascending, by dialect. */
const infinityWords: Readonly<Record<Dialect, readonly string[]>> = {
  "0.x": ["stable", "trunk", "head", "master", "main", "develop"],
  "1.x": ["stable", "nightly", "trunk", "head", "master", "main", "develop"],
};

const phaseWords: readonly string[] = ["alpha", "beta", "rc"];
/** `final` as a word means the same as no pre-release, but is taken off the release. */
const phases = new Map([
  ["alpha", 0],
  ["beta", 1],
  ["rc", 2],
  ["final", 3],
]);
const final = 3;

/** Versions longer than this are not versions. */
const maximumLength = 4096;

/** True for a commit: 40 lower-case hexadecimal digits. */
function isCommit(text: string): boolean {
  return text.length === 40 && /^[a-f0-9]{40}$/.test(text);
}

/** True if Spack reads the text as a version of a git repository. */
export function isGitVersion(text: string): boolean {
  return text.startsWith("git.") || text.indexOf("=", 1) > 0 || isCommit(text);
}

function bad(text: string): SpacktainersError {
  return new SpacktainersError("VERSION_SYNTAX", `${JSON.stringify(text.slice(0, 80))} is not a version`, {
    hint: "versions are made of letters, digits, dots, dashes and underscores",
  });
}

function toNumber(digits: string): number | bigint {
  if (digits.length < 16) return Number(digits);
  const value = BigInt(digits);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function toSegment(number: string | undefined, word: string | undefined, dialect: Dialect): VersionSegment {
  if (number !== undefined) return toNumber(number);
  const rank = infinityWords[dialect].indexOf(word ?? "");
  return rank >= 0 ? { rank } : (word ?? "");
}

/**
 * A version that is not one of a git repository.
 * @throws SpacktainersError VERSION_SYNTAX
 */
export function parsePlainVersion(text: string, dialect: Dialect): Version {
  const stripped = text.trim();
  if (stripped.length > maximumLength || !/^(?:[\w.-][=\w.-]*)?$/.test(stripped)) throw bad(text);
  const numbers: (string | undefined)[] = [];
  const words: (string | undefined)[] = [];
  const separators: string[] = [];
  for (const [, number, word, separator] of stripped.matchAll(/(?:(\d+)|([a-zA-Z]+))([_.-]*)/g)) {
    numbers.push(number);
    words.push(word);
    separators.push(separator ?? "");
  }
  let count = words.length;
  let prerelease: Version["prerelease"] = [final];
  const numbered =
    count >= 3 && numbers[count - 1] !== undefined ? phases.get(words[count - 2] ?? "") : undefined;
  const bare = count >= 2 ? phases.get(words[count - 1] ?? "") : undefined;
  if (numbered !== undefined) {
    prerelease = [numbered, toNumber(numbers[count - 1] ?? "0")];
    count -= 2;
  } else if (bare !== undefined) {
    prerelease = [bare];
    count -= 1;
  }
  const release: VersionSegment[] = [];
  for (let i = 0; i < count; i++) release.push(toSegment(numbers[i], words[i], dialect));
  return { kind: "version", dialect, text, release, prerelease, separators };
}

function parseGitVersion(text: string, dialect: Dialect): GitVersion {
  const parts = (text.startsWith("git.") ? text.slice(4) : text).split("=");
  const [ref = "", assigned] = parts;
  if (parts.length > 2 || text.length > maximumLength) throw bad(text);
  return {
    kind: "git",
    text,
    ref,
    assigned: assigned === undefined ? undefined : parsePlainVersion(assigned, dialect),
  };
}

const cacheLimit = 20_000;
const caches: Readonly<Record<Dialect, Map<string, Version | GitVersion>>> = {
  "0.x": new Map(),
  "1.x": new Map(),
};

/**
 * An exact version, as in concrete specs (`1.2.3`, `git.main=1.2`). Results are shared and cached.
 * @throws SpacktainersError VERSION_SYNTAX
 */
export function parseVersion(text: string, dialect: Dialect): Version | GitVersion {
  const cache = caches[dialect];
  const known = cache.get(text);
  if (known !== undefined) return known;
  const parsed = isGitVersion(text) ? parseGitVersion(text, dialect) : parsePlainVersion(text, dialect);
  if (cache.size >= cacheLimit) cache.clear();
  cache.set(text, parsed);
  return parsed;
}

/** Below all versions of a dialect. */
export function lowestVersion(dialect: Dialect): Version {
  return { kind: "version", dialect, text: "", release: [], prerelease: [0], separators: [""] };
}

/** Above all versions of a dialect. */
export function highestVersion(dialect: Dialect): Version {
  const release = [{ rank: infinityWords[dialect].length }];
  return { kind: "version", dialect, text: "infinity", release, prerelease: [final], separators: [""] };
}

/** Words sort below numbers, numbers below infinity words. */
function segmentClass(segment: VersionSegment): number {
  return typeof segment === "string" ? 0 : typeof segment === "object" ? 2 : 1;
}

function compareSegments(a: VersionSegment, b: VersionSegment): number {
  const classes = segmentClass(a) - segmentClass(b);
  if (classes !== 0) return classes;
  const left = typeof a === "object" ? a.rank : a;
  const right = typeof b === "object" ? b.rank : b;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Order of two plain versions: negative, 0 or positive. */
export function comparePlain(a: Version, b: Version): number {
  const common = Math.min(a.release.length, b.release.length);
  for (let i = 0; i < common; i++) {
    const left = a.release[i];
    const right = b.release[i];
    if (left === right || left === undefined || right === undefined) continue;
    const order = compareSegments(left, right);
    if (order !== 0) return order;
  }
  if (a.release.length !== b.release.length) return a.release.length - b.release.length;
  const [phase, number] = a.prerelease;
  const [otherPhase, otherNumber] = b.prerelease;
  if (phase !== otherPhase) return phase - otherPhase;
  if (number === otherNumber) return 0;
  if (number === undefined) return -1;
  if (otherNumber === undefined) return 1;
  return number < otherNumber ? -1 : 1;
}

/**
 * The version that a git version stands for in comparisons. Without an assigned version Spack would look it up in the
 * repository, and takes 0 when it finds nothing.
 */
export function standsFor(version: Version | GitVersion): Version {
  if (version.kind === "version") return version;
  return version.assigned ?? zero;
}
const zero = parsePlainVersion("0", "1.x");

/** Spack's order of versions: negative, 0 or positive. A git version comes right after the version it stands for. */
export function compareVersions(a: Version | GitVersion, b: Version | GitVersion): number {
  const order = comparePlain(standsFor(a), standsFor(b));
  if (order !== 0) return order;
  if (a.kind === "git" && b.kind === "git") return a.ref < b.ref ? -1 : a.ref > b.ref ? 1 : 0;
  return a.kind === b.kind ? 0 : a.kind === "git" ? 1 : -1;
}

/** The next word in the order `A`–`Z`, `a`–`z`, longer words after `z`. */
function nextWord(word: string): string {
  const last = word.at(-1);
  if (last === undefined || last === "z") return `${word}A`;
  return word.slice(0, -1) + (last === "Z" ? "a" : String.fromCharCode(last.charCodeAt(0) + 1));
}

function previousWord(word: string): string {
  const last = word.at(-1);
  if (last === undefined || last === "A") return word.slice(0, -1);
  return word.slice(0, -1) + (last === "a" ? "Z" : String.fromCharCode(last.charCodeAt(0) - 1));
}

function stepSegment(segment: VersionSegment, forward: boolean, dialect: Dialect): VersionSegment {
  if (typeof segment === "object") return { rank: segment.rank + (forward ? 1 : -1) };
  if (typeof segment !== "string") return stepNumber(segment, forward);
  let word = segment;
  do word = forward ? nextWord(word) : previousWord(word);
  while (infinityWords[dialect].includes(word));
  return word;
}

function stepNumber(value: number | bigint, forward: boolean): number | bigint {
  const result = BigInt(value) + (forward ? 1n : -1n);
  return result >= -BigInt(Number.MAX_SAFE_INTEGER) && result <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(result)
    : result;
}

/** The smallest version above all that begin with this one: the open end of the range `:version`. */
export function nextVersion(version: Version): Version {
  const [phase, number] = version.prerelease;
  const last = version.release.at(-1);
  if (phase !== final)
    return made(version, version.release, [phase, number === undefined ? 0 : stepNumber(number, true)]);
  if (last === undefined) return { ...made(version, ["A"], version.prerelease), separators: [""] };
  const release = [...version.release.slice(0, -1), stepSegment(last, true, version.dialect)];
  return made(version, release, version.prerelease);
}

/** Inverse of {@link nextVersion}. */
export function previousVersion(version: Version): Version {
  const [phase, number] = version.prerelease;
  const last = version.release.at(-1);
  if (phase !== final) {
    const stepped = number === undefined || number === 0 ? undefined : stepNumber(number, false);
    return made(version, version.release, stepped === undefined ? [phase] : [phase, stepped]);
  }
  if (last === undefined) return version;
  const release = [...version.release.slice(0, -1), stepSegment(last, false, version.dialect)];
  return made(version, release, version.prerelease);
}

function made(from: Version, release: readonly VersionSegment[], prerelease: Version["prerelease"]): Version {
  const { dialect, separators } = from;
  return { kind: "version", dialect, text: "", release, prerelease, separators };
}

/** As Spack prints a version: the text it was read from, or one made of its segments. */
export function formatVersion(version: Version | GitVersion): string {
  if (version.kind === "git" || version.text !== "") return version.text;
  let printed = "";
  version.release.forEach((segment, i) => {
    if (i < version.separators.length)
      printed += segmentText(segment, version.dialect) + (version.separators[i] ?? "");
  });
  const [phase, number] = version.prerelease;
  // 0.x prints nothing of `final` and its number, 1.x the number.
  if (phase === final && version.dialect === "0.x") return printed;
  if (phase !== final) printed += phaseWords[phase] ?? "";
  if (number !== undefined) printed += (version.separators[version.release.length] ?? "") + String(number);
  return printed;
}

function segmentText(segment: VersionSegment, dialect: Dialect): string {
  if (typeof segment !== "object") return String(segment);
  return infinityWords[dialect].at(segment.rank) ?? "infinity";
}
