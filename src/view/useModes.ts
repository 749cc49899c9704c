/** How the packages of an environment are used at run time, by Spack's rules. */
import { runtimeTypes, topologicalOrder } from "../spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";

/** A package and its use. */
export interface UsedPackage {
  readonly spec: ConcreteSpec;
  /** Its programs are meant to be found: it is a root, or something runs it. */
  readonly runnable: boolean;
}

/**
 * The packages of the link/run closure of the roots with their uses, in the order in which Spack lets them change the
 * environment, reversed: dependents before dependencies, packages without dependencies last.
 */
export function usedPackages(graph: SpecGraph, roots: readonly DagHash[]): readonly UsedPackage[] {
  const runnable = new Map<DagHash, boolean>(roots.map((hash) => [hash, true]));
  const withDependencies: ConcreteSpec[] = [];
  const finished = new Set<DagHash>();
  for (const node of topologicalOrder(graph, [...new Set(roots)], runtimeTypes)) {
    const edges = node.dependencies
      .filter((edge) => edge.types.has("link") || edge.types.has("run"))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (const edge of edges)
      runnable.set(edge.hash, (runnable.get(edge.hash) ?? false) || edge.types.has("run"));
    if (edges.length > 0) {
      withDependencies.push(node);
      finished.add(node.hash);
    }
  }
  const leaves = [...runnable.keys()].filter((hash) => !finished.has(hash));
  return [...withDependencies.map((node) => node.hash), ...leaves].flatMap((hash) => {
    const spec = graph.get(hash);
    return spec === undefined ? [] : [{ spec, runnable: runnable.get(hash) ?? false }];
  });
}
