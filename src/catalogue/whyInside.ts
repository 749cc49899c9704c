/** Why packages are in an image: for each the shortest way from what was asked for. */
import type { ConcreteEdge, ConcreteSpec, DagHash } from "../spec/concrete.ts";

/** What has to be known of a package. */
export interface WayNode extends Pick<ConcreteSpec, "name"> {
  readonly dependencies: readonly Pick<ConcreteEdge, "name" | "hash" | "types">[];
}

/** The way to a package. */
export interface WayInside {
  /** Names from a root to what needs the package, which is not among them; empty for a root. */
  readonly through: readonly string[];
  /** The root's spec as it was written; undefined where nothing leads to the package. */
  readonly request: string | undefined;
}

/**
 * The shortest ways from the roots to all that they need at run time; of several the first by the order of the roots, then by
 * name and hash.
 */
export function waysInside(
  graph: ReadonlyMap<DagHash, WayNode>,
  roots: readonly { readonly request: string; readonly hash: DagHash }[],
): ReadonlyMap<DagHash, WayInside> {
  const ways = new Map<DagHash, WayInside>();
  for (const { request, hash } of roots) if (!ways.has(hash)) ways.set(hash, { through: [], request });
  for (const [hash, way] of ways) {
    const spec = graph.get(hash);
    if (spec === undefined) continue;
    const next = [...spec.dependencies].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1,
    );
    for (const { hash: to, types } of next)
      if ((types.has("link") || types.has("run")) && graph.has(to) && !ways.has(to))
        ways.set(to, { through: [...way.through, spec.name], request: way.request });
  }
  return ways;
}
