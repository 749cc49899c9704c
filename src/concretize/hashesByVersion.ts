import type { DagHash } from "../spec/concrete.ts";
import type { PackageSource } from "./packageSource.ts";

/**
 * The specs of a package by version, in order of their hashes. A package with very many builds is read once, however many roots
 * ask for it.
 */
export function hashesByVersion(
  source: PackageSource,
): (name: string) => ReadonlyMap<string, readonly DagHash[]> {
  const known = new Map<string, ReadonlyMap<string, readonly DagHash[]>>();
  return (name) => {
    const found = known.get(name) ?? groupByVersion(source, source.hashesOf(name));
    known.set(name, found);
    return found;
  };
}

/** Hashes of specs by version, each group in order. */
export function groupByVersion(
  source: PackageSource,
  hashes: readonly DagHash[],
): ReadonlyMap<string, readonly DagHash[]> {
  const groups = new Map<string, DagHash[]>();
  for (const hash of [...hashes].sort()) {
    const spec = source.spec(hash);
    if (spec === undefined) continue;
    const same = groups.get(spec.version);
    if (same === undefined) groups.set(spec.version, [hash]);
    else same.push(hash);
  }
  return groups;
}
