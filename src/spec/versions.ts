/**
 * Versions and version sets as Spack compares and combines them: parsed versions, and the questions others ask.
 * Semantics: `docs/formats.md`, "Versions". Versions of the two dialects are never mixed: the words that sort above
 * all numbers (`develop`, `main`, …) differ.
 */
import { SpacktainersError } from "../util/errors.ts";
import type { Dialect } from "./abstract.ts";

/** Words that sort above every number, ascending: `stable`, `trunk`, …, `develop`. */
export interface InfinityWord {
  readonly rank: number;
  readonly word: string;
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
  readonly prerelease: readonly [number, (number | bigint)?];
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

/** All versions from `lo` (included) to `hi` (excluded). */
export interface VersionRange {
  readonly kind: "range";
  readonly lo: Version;
  readonly hi: Version;
}

export type VersionItem = Version | GitVersion | VersionRange;

/** A sorted union of versions and ranges without overlaps; what follows `@`. */
export interface VersionSet {
  readonly items: readonly VersionItem[];
}

const todo = (what: string): never => {
  throw new SpacktainersError("NOT_SUPPORTED", `${what} is not there yet`);
};

/**
 * An exact version, as in concrete specs (`1.2.3`, `git.main=1.2`). Results are shared and cached.
 * @throws SpacktainersError VERSION_SYNTAX
 */
export function parseVersion(_text: string, _dialect: Dialect): Version | GitVersion {
  return todo("parseVersion");
}

/**
 * What stands after `@`: `1.2`, `=1.2`, `1.2:1.4,2:`, `git.main=1.2`, `:`.
 * @throws SpacktainersError VERSION_SYNTAX
 */
export function parseVersionSet(_text: string, _dialect: Dialect): VersionSet {
  return todo("parseVersionSet");
}

/** The set of all versions. */
export function anyVersion(_dialect: Dialect): VersionSet {
  return todo("anyVersion");
}

/** Spack's order of versions: negative, 0 or positive. */
export function compareVersions(_a: Version | GitVersion, _b: Version | GitVersion): number {
  return todo("compareVersions");
}

/** True if every version of `a` is in `b`. For one exact version: membership. */
export function versionsSatisfy(_a: VersionSet | Version | GitVersion, _b: VersionSet): boolean {
  return todo("versionsSatisfy");
}

/** True if `a` and `b` have versions in common. */
export function versionsIntersect(_a: VersionSet, _b: VersionSet): boolean {
  return todo("versionsIntersect");
}

/** The versions in both. Empty (`items` is empty) when there are none. */
export function versionsIntersection(_a: VersionSet, _b: VersionSet): VersionSet {
  return todo("versionsIntersection");
}

/** The versions in either. */
export function versionsUnion(_a: VersionSet, _b: VersionSet): VersionSet {
  return todo("versionsUnion");
}

/** As Spack prints a version set after `@`: `=1.2,1.4:`. */
export function formatVersionSet(_set: VersionSet): string {
  return todo("formatVersionSet");
}
