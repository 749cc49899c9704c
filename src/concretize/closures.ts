/** The run-time closures of cached specs. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import type { PackageSource } from "./packageSource.ts";

/** What a spec needs at run time, itself included. */
export interface RunClosure {
  readonly nodes: readonly ConcreteSpec[];
  readonly byName: ReadonlyMap<string, DagHash>;
  /** Why it cannot be used, in words; undefined when it can. */
  readonly problem: string | undefined;
}

/** Link and run dependencies. */
export function runEdges(spec: ConcreteSpec): ConcreteSpec["dependencies"] {
  return spec.dependencies.filter((edge) => edge.types.has("link") || edge.types.has("run"));
}

/**
 * Closures of a source, each computed once. A closure can be used when every package in it is downloadable or external,
 * and no package is in it twice.
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
  const byName = new Map<string, DagHash>();
  let problem: string | undefined;
  const seen = new Set([root]);
  const queue = [root];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const spec = next === root ? first : source.spec(next);
    if (spec === undefined) {
      problem ??= `its dependency ${next.slice(0, 7)} is in no cache`;
      continue;
    }
    nodes.push(spec);
    if (
      spec.external === undefined &&
      !source.has(spec.buildSpec?.hash ?? spec.hash) &&
      !source.has(spec.hash)
    )
      problem ??= `${spec === first ? "it" : `its dependency ${spec.name}@${spec.version}/${spec.hash.slice(0, 7)}`} is in no cache`;
    const twin = byName.get(spec.name);
    if (twin !== undefined) problem ??= `it needs two configurations of ${spec.name}`;
    byName.set(spec.name, spec.hash);
    for (const edge of runEdges(spec))
      if (!seen.has(edge.hash)) {
        seen.add(edge.hash);
        queue.push(edge.hash);
      }
  }
  return { nodes, byName, problem };
}
