import type { BasePackage } from "../../base/types.ts";

/** What became of an OS package. */
export interface OsPackageChange {
  readonly name: string;
  /** Versions; undefined if the package was, or is, absent. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The OS packages in which two bases differ, by name. */
export function osPackageChanges(
  before: readonly BasePackage[],
  after: readonly BasePackage[],
): readonly OsPackageChange[] {
  const [old, now] = [before, after].map(
    (packages) => new Map(packages.map(({ name, version }) => [name, version])),
  );
  return [...new Set([...before, ...after].map(({ name }) => name))]
    .sort()
    .map((name) => ({ name, before: old?.get(name), after: now?.get(name) }))
    .filter((change) => change.before !== change.after);
}
