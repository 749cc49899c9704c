/** Which packages of a locked environment have to be built, in which order, and at what cost: pure functions of the lock. */
import { runtimeTypes } from "../spec/closure.ts";
import type { ConcreteEdge, ConcreteSpec, DagHash, DependencyType, SpecGraph } from "../spec/concrete.ts";
import { briefSpec } from "../spec/concrete.ts";
import { SpacktainersError } from "../util/errors.ts";

/** A package to build. */
export interface BuildNode {
  readonly spec: ConcreteSpec;
  /** Packages of the graph that must be there first; through packages of caches, too. In the order of the graph. */
  readonly after: readonly DagHash[];
  /** True for packages that are only needed to build others, not at run time. */
  readonly buildOnly: boolean;
}

/** What has to be built. */
export interface BuildGraph {
  /** Every package comes after those that it needs; otherwise by name, then hash. */
  readonly nodes: readonly BuildNode[];
  /**
   * Spliced packages that are needed and whose build spec has to be built, in the same order. Nothing is compiled for them: they are
   * made from their build spec's archive, wherever they are installed.
   */
  readonly spliced: readonly BuildNode[];
  /** Packages of caches that building needs on the machine, in the same order. */
  readonly fetched: readonly ConcreteSpec[];
  /** Packages that are needed at run time and that caches have. */
  readonly reused: readonly ConcreteSpec[];
}

const buildTypes: ReadonlySet<DependencyType> = new Set(["build", "link", "run"]);

/**
 * The lock minus externals, minus what caches have, minus what nobody that is missing needs.
 *
 * Needed are the link and run closure of the roots, and of every package that has to be built what it is built with, with the
 * link and run closures of that. What a package of a cache was built with is not needed. A spliced package is not built: its build
 * spec is, since Spack makes the one from the other's archive. (Making it beside its build spec, as Spack does with one that is
 * installed, fails where a program has the prefix of what was replaced in its code: both prefixes have the same length there.)
 *
 * @param graph of the lock, with all build dependencies
 * @param cached whether a cache has a package; of a spliced one, its build spec
 * @throws SpacktainersError LOCK_INVALID when a package that has to be built depends on itself, or on one that the lock lacks
 */
export function buildGraph(
  graph: SpecGraph,
  roots: readonly DagHash[],
  cached: (hash: DagHash) => boolean,
): BuildGraph {
  const { nodeOf, missing, needsOf } = needsIn(graph, cached);
  const runtime = runtimeHashes(graph, roots);
  const needed = reach(runtime, (hash) => needsOf(nodeOf(hash)));
  const order = dependenciesFirst([...needed].map(nodeOf), needsOf, nodeOf);
  const built = order.filter(missing);
  const fetched = reach(
    built.flatMap(needsOf).filter((hash) => !missing(nodeOf(hash))),
    (hash) => hashesOf(nodeOf(hash).dependencies, runtimeTypes).filter((each) => !missing(nodeOf(each))),
  );

  const position = new Map(order.map(({ hash }, index) => [hash, index]));
  const waiting = (spec: ConcreteSpec): BuildNode => {
    // A package of a cache, or a spliced one, is there only once everything it needs itself is.
    const through = reach(needsOf(spec), (hash) => (missing(nodeOf(hash)) ? [] : needsOf(nodeOf(hash))));
    const after = [...through].filter((hash) => missing(nodeOf(hash)));
    after.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
    return { spec, after, buildOnly: !runtime.has(spec.hash) };
  };
  const present = order.filter((spec) => spec.external === undefined && cached(spec.hash));
  return {
    nodes: built.map(waiting),
    spliced: order
      .filter(({ hash, buildSpec, external }) => buildSpec && external === undefined && !cached(hash))
      .map(waiting),
    fetched: present.filter(({ hash }) => fetched.has(hash)),
    reused: present.filter(({ hash }) => runtime.has(hash)),
  };
}

/**
 * The hashes of everything that is needed, to run and to build what is missing.
 *
 * @throws SpacktainersError LOCK_INVALID when the lock lacks one of them
 */
export function neededHashes(
  graph: SpecGraph,
  roots: readonly DagHash[],
  cached: (hash: DagHash) => boolean,
): readonly DagHash[] {
  const { nodeOf, needsOf } = needsIn(graph, cached);
  return [...reach(runtimeHashes(graph, roots), (hash) => needsOf(nodeOf(hash)))];
}

function runtimeHashes(graph: SpecGraph, roots: readonly DagHash[]): ReadonlySet<DagHash> {
  return reach(roots, (hash) => hashesOf(nodeIn(graph, hash).dependencies, runtimeTypes));
}

function nodeIn(graph: SpecGraph, hash: DagHash): ConcreteSpec {
  const spec = graph.get(hash);
  if (spec === undefined) throw new SpacktainersError("LOCK_INVALID", `the lock lacks the package /${hash}`);
  return spec;
}

/** What packages need, by whether caches have them. */
function needsIn(graph: SpecGraph, cached: (hash: DagHash) => boolean) {
  const nodeOf = (hash: DagHash): ConcreteSpec => nodeIn(graph, hash);
  const missing = (spec: ConcreteSpec): boolean =>
    spec.external === undefined && spec.buildSpec === undefined && !cached(spec.hash);
  /** What a package needs on the machine: to be built, or to be taken from a cache. */
  const needsOf = (spec: ConcreteSpec): readonly DagHash[] => {
    if (spec.external !== undefined) return [];
    if (missing(spec)) return hashesOf(spec.dependencies, buildTypes);
    const needs = hashesOf(spec.dependencies, runtimeTypes);
    return spec.buildSpec === undefined || cached(spec.hash) ? needs : [...needs, spec.buildSpec.hash];
  };
  return { nodeOf, missing, needsOf };
}

function hashesOf(edges: readonly ConcreteEdge[], types: ReadonlySet<DependencyType>): readonly DagHash[] {
  return edges.filter((edge) => [...edge.types].some((type) => types.has(type))).map(({ hash }) => hash);
}

/** Everything that can be reached, what it starts from included. */
function reach(from: Iterable<DagHash>, next: (hash: DagHash) => readonly DagHash[]): ReadonlySet<DagHash> {
  const found = new Set(from);
  for (const hash of found) for (const each of next(hash)) found.add(each);
  return found;
}

/** Topological order; among those that could come next, by name and hash. */
function dependenciesFirst(
  specs: readonly ConcreteSpec[],
  needsOf: (spec: ConcreteSpec) => readonly DagHash[],
  nodeOf: (hash: DagHash) => ConcreteSpec,
): readonly ConcreteSpec[] {
  const order: ConcreteSpec[] = [];
  const state = new Map<DagHash, "open" | "done">();
  const byName = (a: ConcreteSpec, b: ConcreteSpec): number =>
    a.name === b.name ? (a.hash < b.hash ? -1 : 1) : a.name < b.name ? -1 : 1;
  // Not recursive: chains of dependencies can be long.
  for (const start of [...specs].sort(byName)) {
    const stack = [{ spec: start, needs: undefined as ConcreteSpec[] | undefined }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top === undefined) break;
      if (top.needs === undefined) {
        if (state.get(top.spec.hash) === "done") {
          stack.pop();
          continue;
        }
        if (state.get(top.spec.hash) === "open")
          throw new SpacktainersError("LOCK_INVALID", `${briefSpec(top.spec)} depends on itself`);
        state.set(top.spec.hash, "open");
        top.needs = [...new Set(needsOf(top.spec))].map(nodeOf).sort(byName).reverse();
      }
      const need = top.needs.pop();
      if (need !== undefined) stack.push({ spec: need, needs: undefined });
      else {
        state.set(top.spec.hash, "done");
        order.push(top.spec);
        stack.pop();
      }
    }
  }
  return order;
}
