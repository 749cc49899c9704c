/** Parts of concrete DAGs, in the orders that Spack uses. */
import { SpacktainersError } from "../util/errors.ts";
import type { ConcreteSpec, DagHash, DependencyType, SpecGraph } from "./concrete.ts";

/** The part of a DAG that is needed at run time. */
export interface Closure {
  /** Packages, dependents before dependencies. */
  readonly packages: readonly ConcreteSpec[];
  /** External packages: what the base must have. */
  readonly externals: readonly ConcreteSpec[];
}

/**
 * All nodes reachable from the roots over edges of the given types, roots included, in Spack's topological order:
 * dependents before dependencies, breadth-first as possible, children by name, each node when its last in-edge was seen.
 */
export function topologicalOrder(
  _graph: SpecGraph,
  _roots: readonly DagHash[],
  _types: ReadonlySet<DependencyType>,
): readonly ConcreteSpec[] {
  throw new SpacktainersError("NOT_SUPPORTED", "topologicalOrder is not there yet");
}

/** The link/run closure of the roots in topological order, externals apart. */
export function runtimeClosure(_graph: SpecGraph, _roots: readonly DagHash[]): Closure {
  throw new SpacktainersError("NOT_SUPPORTED", "runtimeClosure is not there yet");
}

/**
 * Hashes whose prefixes take part in relocating a package, in the order in which Spack tries them: itself, the
 * transitive link closure breadth-first, the direct run dependencies; externals left out.
 */
export function relocationOrder(_graph: SpecGraph, _hash: DagHash): readonly DagHash[] {
  throw new SpacktainersError("NOT_SUPPORTED", "relocationOrder is not there yet");
}
