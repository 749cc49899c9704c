import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";

const languages: readonly string[] = ["c", "cxx", "fortran"];

/**
 * The part of a DAG that says something of an image: what is in it, with the edges between, and by name the compilers and
 * the specs that spliced packages were built from. Closed: no edge leads out of it.
 *
 * @param inside packages and externals of the closure
 */
export function runtimeGraph(graph: SpecGraph, inside: readonly ConcreteSpec[]): SpecGraph {
  const listed = new Set(inside.map(({ hash }) => hash));
  const kept = new Map<DagHash, ConcreteSpec>();
  const named = new Set<DagHash>();
  for (const spec of inside) {
    const dependencies = spec.dependencies.filter(({ hash, types, virtuals }) => {
      if (types.has("link") || types.has("run")) return listed.has(hash);
      if (!graph.has(hash) || !virtuals.some((virtual) => languages.includes(virtual))) return false;
      named.add(hash);
      return true;
    });
    const original = spec.buildSpec === undefined ? undefined : graph.get(spec.buildSpec.hash);
    if (original !== undefined) named.add(original.hash);
    kept.set(spec.hash, { ...spec, dependencies, buildSpec: original && spec.buildSpec });
  }
  for (const hash of named) {
    const spec = graph.get(hash);
    if (spec !== undefined && !kept.has(hash))
      kept.set(hash, { ...spec, dependencies: [], buildSpec: undefined });
  }
  return kept;
}
