/** The dependency graph of what is in an image, as plain nodes and edges, and paths in it. */
import type { ConcreteSpec, DagHash, DependencyType, SpecGraph } from "../../spec/concrete.ts";

const typeOrder: readonly DependencyType[] = ["build", "link", "run", "test"];

/** A package or an external. */
export interface GraphNode {
  readonly hash: DagHash;
  readonly name: string;
  readonly version: string;
  readonly kind: "root" | "package" | "external";
}

/** A dependency. */
export interface GraphEdge {
  readonly from: DagHash;
  readonly to: DagHash;
  /** `link`, `run` or both. */
  readonly types: readonly DependencyType[];
}

/** Nodes and edges in an order of their own: by name, then hash. */
export interface DependencyGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Names of dependency types in Spack's order. */
export function typesInOrder(types: ReadonlySet<DependencyType>): readonly DependencyType[] {
  return typeOrder.filter((type) => types.has(type));
}

/** True for what is needed at run time. */
function isRuntime(types: ReadonlySet<DependencyType>): boolean {
  return types.has("link") || types.has("run");
}

/** What the roots need at run time, externals included. Dependencies that the graph does not have are left out. */
export function dependencyGraph(graph: SpecGraph, roots: readonly DagHash[]): DependencyGraph {
  const reached = new Set(roots.filter((hash) => graph.has(hash)));
  const edges: GraphEdge[] = [];
  for (const from of reached)
    for (const { hash, types } of graph.get(from)?.dependencies ?? []) {
      if (!isRuntime(types) || !graph.has(hash)) continue;
      reached.add(hash);
      edges.push({
        from,
        to: hash,
        types: typesInOrder(types).filter((type) => type === "link" || type === "run"),
      });
    }
  const isRoot = new Set(roots);
  const nodes = [...reached]
    .flatMap((hash) => graph.get(hash) ?? [])
    .map(
      ({ hash, name, version, external }): GraphNode => ({
        hash,
        name,
        version,
        kind: external !== undefined ? "external" : isRoot.has(hash) ? "root" : "package",
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1));
  const rank = new Map(nodes.map(({ hash }, index) => [hash, index]));
  const rankOf = (hash: DagHash): number => rank.get(hash) ?? 0;
  edges.sort((a, b) => rankOf(a.from) - rankOf(b.from) || rankOf(a.to) - rankOf(b.to));
  return { nodes, edges };
}

/** One step of a path: the package, and why it needs the next one (nothing for the last). */
export interface PathStep {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  readonly types: readonly DependencyType[];
}

/**
 * For every root the shortest path to a package, those of the same length by name. Only steps that matter at run time are
 * taken; when no root needs the package at run time, all are.
 *
 * @returns paths by length; none for a package that no root reaches
 */
export function pathsTo(
  graph: SpecGraph,
  roots: readonly DagHash[],
  target: DagHash,
): { readonly paths: readonly (readonly PathStep[])[]; readonly runtime: boolean } {
  for (const runtime of [true, false]) {
    const paths = [...new Set(roots)].flatMap((root) => {
      const path = shortestPath(graph, root, target, runtime);
      return path === undefined ? [] : [path];
    });
    if (paths.length > 0) return { paths: paths.sort((a, b) => a.length - b.length), runtime };
  }
  return { paths: [], runtime: false };
}

function shortestPath(
  graph: SpecGraph,
  root: DagHash,
  target: DagHash,
  runtime: boolean,
): readonly PathStep[] | undefined {
  const cameFrom = new Map<
    DagHash,
    { readonly from: DagHash; readonly types: readonly DependencyType[] } | undefined
  >([[root, undefined]]);
  for (const hash of cameFrom.keys()) {
    if (hash === target) break;
    const edges = [...(graph.get(hash)?.dependencies ?? [])].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1,
    );
    for (const { hash: to, types } of edges)
      if ((!runtime || isRuntime(types)) && graph.has(to) && !cameFrom.has(to))
        cameFrom.set(to, { from: hash, types: typesInOrder(types) });
  }
  if (!cameFrom.has(target)) return undefined;
  const steps: PathStep[] = [];
  let types: readonly DependencyType[] = [];
  for (let hash: DagHash | undefined = target; hash !== undefined; ) {
    const spec: ConcreteSpec | undefined = graph.get(hash);
    if (spec === undefined) return undefined;
    steps.push({ name: spec.name, version: spec.version, hash, types });
    const back: ReturnType<typeof cameFrom.get> = cameFrom.get(hash);
    types = back?.types ?? [];
    hash = back?.from;
  }
  return steps.reverse();
}
