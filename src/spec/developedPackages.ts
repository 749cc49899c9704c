/** Packages that Spack builds from a folder of `develop:`: their hashes do not tell what is in them. */
import type { ConcreteSpec, DagHash, SpecGraph } from "./concrete.ts";

/** The folder that a package is built from; undefined for one that is not of `develop:`. */
export function developFolder({ variants }: Pick<ConcreteSpec, "variants">): string | undefined {
  const path = variants.get("dev_path");
  return typeof path === "string" ? path : undefined;
}

/** The packages of a graph that are built from a folder of `develop:`, and all that depend on one in any way. */
export function developedPackages(graph: SpecGraph): ReadonlySet<DagHash> {
  const dependents = new Map<DagHash, DagHash[]>();
  for (const { hash, dependencies } of graph.values())
    for (const edge of dependencies) dependents.set(edge.hash, [...(dependents.get(edge.hash) ?? []), hash]);
  const found = new Set([...graph.values()].filter(developFolder).map(({ hash }) => hash));
  for (const hash of found) for (const other of dependents.get(hash) ?? []) found.add(other);
  return found;
}
