/** The order in which Spack prefers versions of packages that exist already. */
import type { Dialect } from "../spec/abstract.ts";
import { compareVersions, parseVersion } from "../spec/versions.ts";

/**
 * Distinct versions, best first: the newest by Spack's order; versions of git references after all others. What
 * `packages: version` prefers does not matter here: Spack weighs it only for packages that it builds.
 */
export function newestFirst(versions: Iterable<string>, dialect: Dialect): readonly string[] {
  return [...new Set(versions)]
    .map((text) => ({ text, version: parseVersion(text, dialect) }))
    .sort((a, b) => {
      const git = Number(a.version.kind === "git") - Number(b.version.kind === "git");
      return git || compareVersions(b.version, a.version) || (a.text < b.text ? -1 : 1);
    })
    .map(({ text }) => text);
}
