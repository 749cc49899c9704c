/** Parts of concrete DAGs, in the orders that Spack uses. */
import { SpacktainersError } from "../util/errors.ts";
import {
  briefSpec,
  type ConcreteEdge,
  type ConcreteSpec,
  type DagHash,
  type DependencyType,
  type SpecGraph,
} from "./concrete.ts";
import { compareVersions, parseVersion } from "./versions.ts";

/** The part of a DAG that is needed at run time. */
export interface Closure {
  /** Packages, dependents before dependencies. */
  readonly packages: readonly ConcreteSpec[];
  /** External packages: what the base must have. */
  readonly externals: readonly ConcreteSpec[];
}

/** The types of edges that matter at run time. */
export const runtimeTypes: ReadonlySet<DependencyType> = new Set(["link", "run"]);

const linkOnly: ReadonlySet<DependencyType> = new Set(["link"]);
const runOnly: ReadonlySet<DependencyType> = new Set(["run"]);

function nodeOf(graph: SpecGraph, hash: DagHash): ConcreteSpec {
  const node = graph.get(hash);
  if (node === undefined) throw new SpacktainersError("INTERNAL", `the spec ${hash} is not in the graph`);
  return node;
}

function hasType(edge: ConcreteEdge, types: ReadonlySet<DependencyType>): boolean {
  for (const type of types) if (edge.types.has(type)) return true;
  return false;
}

/** Edges of the given types, by name; several of one name by version, then hash. */
function edgesOf(
  graph: SpecGraph,
  node: ConcreteSpec,
  types: ReadonlySet<DependencyType>,
): readonly ConcreteEdge[] {
  const versionOf = (edge: ConcreteEdge) => parseVersion(nodeOf(graph, edge.hash).version, "1.x");
  const edges = node.dependencies.filter((edge) => hasType(edge, types));
  return edges.sort((a, b) => {
    if (a.name !== b.name) return a.name < b.name ? -1 : 1;
    if (a.hash === b.hash) return 0;
    return compareVersions(versionOf(a), versionOf(b)) || (a.hash < b.hash ? -1 : 1);
  });
}

/**
 * All nodes reachable from the roots over edges of the given types, roots included, in Spack's topological order:
 * dependents before dependencies, breadth-first as possible, children by name, each node when its last in-edge was seen.
 *
 * @throws SpacktainersError CACHE_INVALID when a node depends on itself; locks and spec files are checked when they are read
 */
export function topologicalOrder(
  graph: SpecGraph,
  roots: readonly DagHash[],
  types: ReadonlySet<DependencyType>,
): readonly ConcreteSpec[] {
  const children = new Map<DagHash, readonly ConcreteEdge[]>();
  const inEdges = new Map<DagHash, number>();
  const arrive = (hash: DagHash) => inEdges.set(hash, (inEdges.get(hash) ?? 0) + 1);
  const found = [...roots];
  for (const hash of roots) arrive(hash);
  for (let i = 0; i < found.length; i++) {
    const hash = found[i];
    if (hash === undefined || children.has(hash)) continue;
    const edges = edgesOf(graph, nodeOf(graph, hash), types);
    children.set(hash, edges);
    for (const edge of edges) {
      arrive(edge.hash);
      found.push(edge.hash);
    }
  }
  const order: ConcreteSpec[] = [];
  const consume = (hash: DagHash) => {
    const left = (inEdges.get(hash) ?? 0) - 1;
    inEdges.set(hash, left);
    if (left === 0) order.push(nodeOf(graph, hash));
  };
  for (const hash of roots) consume(hash);
  for (let i = 0; i < order.length; i++) {
    const node = order[i];
    if (node !== undefined) for (const edge of children.get(node.hash) ?? []) consume(edge.hash);
  }
  const circle = [...children.keys()].find((hash) => (inEdges.get(hash) ?? 0) > 0);
  if (circle !== undefined) throw dependsOnItself(nodeOf(graph, circle));
  return order;
}

function dependsOnItself(node: ConcreteSpec): SpacktainersError {
  return new SpacktainersError(
    "CACHE_INVALID",
    `${briefSpec(node)} depends on itself, through others or not`,
    {
      place: { spec: briefSpec(node) },
      hint: "Spack never writes this: someone changed the cache's index; rebuild it with spacktainers cache index",
    },
  );
}

/** The link/run closure of the roots in topological order, externals apart. */
export function runtimeClosure(graph: SpecGraph, roots: readonly DagHash[]): Closure {
  const packages: ConcreteSpec[] = [];
  const externals: ConcreteSpec[] = [];
  for (const node of topologicalOrder(graph, roots, runtimeTypes))
    (node.external === undefined ? packages : externals).push(node);
  return { packages, externals };
}

/**
 * Hashes whose prefixes take part in relocating a package, in the order in which Spack tries them: itself, the
 * transitive link closure breadth-first, the direct run dependencies; externals left out.
 */
export function relocationOrder(graph: SpecGraph, hash: DagHash): readonly DagHash[] {
  const linked = new Set([hash]);
  for (const current of linked)
    for (const edge of edgesOf(graph, nodeOf(graph, current), linkOnly)) linked.add(edge.hash);
  for (const edge of edgesOf(graph, nodeOf(graph, hash), runOnly)) linked.add(edge.hash);
  return [...linked].filter((each) => nodeOf(graph, each).external === undefined);
}
