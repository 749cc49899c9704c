/** The result of choosing: one concrete DAG for an environment. */
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";

/** A root of an environment. */
export interface ChosenRoot {
  readonly request: string;
  readonly hash: DagHash;
  /** Set for the roots of included environments: their locks say what they are. */
  readonly included?: true;
}

export interface Resolution {
  /** In the order of the environment's specs, then those of included environments. `request` is the user's spec as text. */
  readonly roots: readonly ChosenRoot[];
  /** Every spec of the closure of the roots, build dependencies included where known. */
  readonly graph: SpecGraph;
  /** Where it came from. */
  readonly origin: "lock" | "caches";
  /** Roots for which other configurations would do as well, as far as caches can tell: only recipes know the defaults. */
  readonly undetermined?: readonly {
    readonly request: string;
    /** The one that was chosen. */
    readonly hash: DagHash;
    /** Names of the variants that no spec sets and in which the alternatives differ. */
    readonly variants: readonly string[];
    readonly alternatives: readonly DagHash[];
  }[];
  /** Roots whose search was cut short: there may be a better choice for them. */
  readonly incomplete?: readonly string[];
}

/** The part of a resolution that goes into an image. */
export interface RuntimeClosure {
  /**
   * Packages of the link/run closure of the roots, externals left out, dependents before dependencies
   * (Spack's topological order: breadth-first as possible, children by name).
   */
  readonly packages: readonly ConcreteSpec[];
  /** External packages of the closure: requirements on the base. */
  readonly externals: readonly ConcreteSpec[];
}
