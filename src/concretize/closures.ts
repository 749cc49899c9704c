/** The run-time closures of cached specs. */
import { briefSpec, type ConcreteSpec, type DagHash } from "../spec/concrete.ts";
import type { PackageSource } from "./packageSource.ts";

/** What a spec needs at run time, itself included. */
export interface RunClosure {
  readonly nodes: readonly ConcreteSpec[];
  /**
   * The nodes that `unify` allows one configuration of. Not among them are run-time libraries of GCC and C libraries: each
   * package may come with those that it was built with, in Spack's solver, too.
   */
  readonly byName: ReadonlyMap<string, DagHash>;
  /** Which of the nodes provides which virtual to another, each pair once. */
  readonly provided: readonly { readonly virtual: string; readonly provider: ConcreteSpec }[];
  /** Why it cannot be used, in words; undefined when it can. */
  readonly problem: string | undefined;
}

/** Link and run dependencies. */
export function runEdges(spec: ConcreteSpec): ConcreteSpec["dependencies"] {
  return spec.dependencies.filter((edge) => edge.types.has("link") || edge.types.has("run"));
}

/** True for a dependency on the run-time library of GCC or on the C library: Spack does not choose it with a package. */
export function isRuntime({ name, virtuals }: ConcreteSpec["dependencies"][number]): boolean {
  return name === "gcc-runtime" || virtuals.includes("libc");
}

/**
 * Closures of a source, each computed once. A closure can be used when every package in it is downloadable or external,
 * no package that is to be unified is in it twice, and nothing depends on itself.
 */
export function runClosures(source: PackageSource): (hash: DagHash) => RunClosure | undefined {
  const known = new Map<DagHash, RunClosure | undefined>();
  return (hash) => {
    if (!known.has(hash)) known.set(hash, computeClosure(source, hash));
    return known.get(hash);
  };
}

function computeClosure(source: PackageSource, root: DagHash): RunClosure | undefined {
  const first = source.spec(root);
  if (first === undefined) return undefined;
  const nodes: ConcreteSpec[] = [];
  const providers = new Map<string, DagHash>();
  let problem: string | undefined;
  const seen = new Set([root]);
  for (const hash of seen) {
    const spec = hash === root ? first : source.spec(hash);
    if (spec === undefined) {
      problem ??= `its dependency ${hash.slice(0, 7)} is in no cache`;
      continue;
    }
    nodes.push(spec);
    if (
      spec.external === undefined &&
      !source.has(hash) &&
      !(spec.buildSpec && source.has(spec.buildSpec.hash))
    )
      problem ??= `${spec === first ? "it" : `its dependency ${briefSpec(spec)}`} is in no cache`;
    for (const edge of runEdges(spec)) {
      seen.add(edge.hash);
      for (const virtual of edge.virtuals) providers.set(`${virtual} ${edge.hash}`, edge.hash);
    }
  }
  if (hasCircle(nodes)) problem ??= "its dependencies form a circle";
  const byName = new Map<string, DagHash>();
  const unified = new Set([root]);
  for (const hash of unified) {
    const spec = hash === root ? first : source.spec(hash);
    if (spec === undefined) continue;
    if (byName.has(spec.name)) problem ??= `it needs two configurations of ${spec.name}`;
    byName.set(spec.name, hash);
    for (const edge of runEdges(spec)) if (!isRuntime(edge)) unified.add(edge.hash);
  }
  const provided = [...providers].flatMap(([key, hash]) => {
    const provider = source.spec(hash);
    return provider === undefined ? [] : { virtual: key.slice(0, key.indexOf(" ")), provider };
  });
  return { nodes, byName, provided, problem };
}

/** Whether a node reaches itself: what is left when those without dependents are taken away, again and again. */
function hasCircle(nodes: readonly ConcreteSpec[]): boolean {
  const dependents = new Map(nodes.map(({ hash }) => [hash, 0]));
  for (const node of nodes)
    for (const { hash } of runEdges(node)) dependents.set(hash, (dependents.get(hash) ?? 0) + 1);
  const byHash = new Map(nodes.map((node) => [node.hash, node]));
  const free = nodes.filter(({ hash }) => dependents.get(hash) === 0);
  for (const node of free)
    for (const { hash } of runEdges(node)) {
      const left = (dependents.get(hash) ?? 0) - 1;
      dependents.set(hash, left);
      const next = left === 0 ? byHash.get(hash) : undefined;
      if (next !== undefined) free.push(next);
    }
  return free.length < nodes.length;
}
