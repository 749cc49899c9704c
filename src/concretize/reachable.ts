/** What packages reach in a source. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import type { PackageSource } from "./packageSource.ts";

/** Everything that the roots reach, over all edges, as far as the source knows it. */
export function reachable(
  source: PackageSource,
  roots: readonly DagHash[],
): ReadonlyMap<DagHash, ConcreteSpec> {
  const graph = new Map<DagHash, ConcreteSpec>();
  const queue = new Set(roots);
  for (const hash of queue) {
    const spec = source.spec(hash);
    if (spec === undefined) continue;
    graph.set(hash, spec);
    for (const edge of spec.dependencies) queue.add(edge.hash);
    if (spec.buildSpec !== undefined) queue.add(spec.buildSpec.hash);
  }
  return graph;
}
