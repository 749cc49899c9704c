/** `unify: when_possible`: which roots are chosen together. */
import type { Environment } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { intersects } from "../spec/intersects.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import type { Candidates } from "./candidates.ts";
import type { PackageSource } from "./packageSource.ts";

/**
 * Roots that can be had together are in one round, the others follow in rounds of their own. Spack would rather build than
 * split, so only roots that contradict each other are split: in the user's own words, or because one sets a
 * variant that excludes what the other depends on.
 *
 * @param all the roots, in the user's order
 * @returns the rounds, each in the user's order
 */
export function compatibleRounds(
  environment: Environment,
  source: PackageSource,
  all: readonly Candidates[],
): readonly (readonly Candidates[])[] {
  const { dialect } = environment;
  const excludes = dependencyExclusion(environment, source);
  const nodesOf = (spec: AbstractSpec) => [spec, ...spec.dependencies.map((edge) => edge.spec)];
  const contradict = (a: AbstractSpec, b: AbstractSpec) =>
    nodesOf(a).some((x) =>
      nodesOf(b).some(
        (y) =>
          x.name !== undefined &&
          x.name === y.name &&
          (!intersects(alone(x), alone(y), { dialect }) || excludes(x, y)),
      ),
    );
  const rounds: Candidates[][] = [];
  for (const candidates of all) {
    const room = rounds.find((round) =>
      round.every((other) => !contradict(other.request.spec, candidates.request.spec)),
    );
    if (room === undefined) rounds.push([candidates]);
    else room.push(candidates);
  }
  return rounds;
}

function alone(spec: AbstractSpec): AbstractSpec {
  return { ...spec, dependencies: [] };
}

/** Whether one of two specs of a package excludes a dependency that the other names. */
type Exclusion = (x: AbstractSpec, y: AbstractSpec) => boolean;

/**
 * True if one of two specs of a package sets a boolean variant that decides whether the package has a dependency, and the
 * other names that dependency: `ring~mpi` and `ring ^mpich`. Recipes say what a variant decides. Of a cache it is believed
 * when every configuration with the one value has the dependency, none with the other has, and there are both.
 */
function dependencyExclusion({ dialect }: Environment, source: PackageSource): Exclusion {
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const known = new Map<string, readonly ConcreteSpec[]>();

  /** The configurations of a package that have a dependency. */
  function having(name: string, dependency: string, specs: readonly ConcreteSpec[]) {
    const key = `${name} ^${dependency}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const constraint = parseSpec(key, { dialect });
    const found = specs.filter(({ hash }) => concreteSatisfies(lookup, hash, constraint, { dialect }));
    known.set(key, found);
    return found;
  }

  return (x, y) => {
    const { name } = x;
    const wanted = new Set([...x.dependencies, ...y.dependencies].flatMap((edge) => edge.spec.name ?? []));
    const switches = [...x.variants.values(), ...y.variants.values()].filter(({ kind }) => kind === "bool");
    if (name === undefined || wanted.size === 0 || switches.length === 0) return false;
    const specs = source.hashesOf(name).flatMap((hash) => source.spec(hash) ?? []);
    return [...wanted].some((dependency) => {
      const those = having(name, dependency, specs);
      if (those.length === 0 || those.length === specs.length) return false;
      const brings = new Set(those);
      return switches.some(({ name: variant, values }) =>
        specs.every((spec) => brings.has(spec) === (spec.variants.get(variant) === !values.includes(true))),
      );
    });
  };
}
