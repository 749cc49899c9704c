/** Does one spec satisfy another? With Spack's answers. */
import type { AbstractSpec, Dialect } from "./abstract.ts";
import type { DagHash } from "./concrete.ts";
import { specSatisfies } from "./specRelations.ts";
import {
  openViews,
  ReachAnswers,
  type Relation,
  type SpecLookup,
  type VirtualKnowledge,
  viewOf,
} from "./specView.ts";
import { builtinVirtuals } from "./virtuals.ts";

export type { ProvidedVirtual, SpecLookup, VirtualKnowledge } from "./specView.ts";

export interface SatisfiesOptions {
  readonly dialect: Dialect;
  /** Without it, what Spack's own recipes say about virtual packages. */
  readonly virtuals?: VirtualKnowledge;
}

/** The options with what they leave out filled in. */
export function relationOf({ dialect, virtuals }: SatisfiesOptions): Relation {
  return { dialect, virtuals: virtuals ?? builtinVirtuals(dialect) };
}

/** True if everything `a` can become is allowed by `b` (Spack's `Spec.satisfies` on abstract specs). */
export function satisfies(a: AbstractSpec, b: AbstractSpec, options: SatisfiesOptions): boolean {
  return specSatisfies(a, b, relationOf(options));
}

/**
 * True if the concrete spec, with its dependencies, satisfies the constraint. False when the hash is not in the graph.
 * @param graph nodes by hash; dependencies are looked up only when the constraint asks for them
 */
export function concreteSatisfies(
  graph: SpecLookup,
  hash: DagHash,
  constraint: AbstractSpec,
  options: SatisfiesOptions,
): boolean {
  const view = viewOf(graph, hash, options.dialect);
  return view !== undefined && specSatisfies(view, constraint, relationOf(options));
}

/**
 * As {@link concreteSatisfies}, with the same answers, for many specs of a graph that does not change and one constraint after the
 * other: what was found out about a dependency is kept for all that have it.
 *
 * @returns for a constraint, what answers for the spec of a hash
 */
export function openSatisfies(
  graph: SpecLookup,
  options: SatisfiesOptions,
): (constraint: AbstractSpec) => (hash: DagHash) => boolean {
  const viewOfHash = openViews(graph, options.dialect);
  return (constraint) => {
    const relation: Relation = { ...relationOf(options), answers: new ReachAnswers() };
    return (hash) => {
      const view = viewOfHash(hash);
      return view !== undefined && specSatisfies(view, constraint, relation);
    };
  };
}
