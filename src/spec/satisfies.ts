/** Does one spec satisfy another? With Spack's answers. */
import { SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec, Dialect } from "./abstract.ts";
import type { ConcreteSpec, DagHash } from "./concrete.ts";

/** Where nodes of concrete specs are found: a `SpecGraph`, or an index that parses on demand. */
export interface SpecLookup {
  get(hash: DagHash): ConcreteSpec | undefined;
}

/** What is known about virtual packages beyond what edges say. */
export interface VirtualKnowledge {
  /** True if the name is that of a virtual package (`mpi`). */
  isVirtual(name: string): boolean;
  /** True if packages of this name can provide the virtual. */
  provides(name: string, virtual: string): boolean;
}

export interface SatisfiesOptions {
  readonly dialect: Dialect;
  /** Without it, a name counts as virtual when an edge of the graph says so. */
  readonly virtuals?: VirtualKnowledge;
}

/** True if everything `a` can become is allowed by `b` (Spack's `Spec.satisfies` on abstract specs). */
export function satisfies(_a: AbstractSpec, _b: AbstractSpec, _options: SatisfiesOptions): boolean {
  throw new SpacktainersError("NOT_SUPPORTED", "satisfies is not there yet");
}

/**
 * True if the concrete spec, with its dependencies, satisfies the constraint.
 * @param graph nodes by hash; dependencies are looked up only when the constraint asks for them
 */
export function concreteSatisfies(
  _graph: SpecLookup,
  _hash: DagHash,
  _constraint: AbstractSpec,
  _options: SatisfiesOptions,
): boolean {
  throw new SpacktainersError("NOT_SUPPORTED", "concreteSatisfies is not there yet");
}
