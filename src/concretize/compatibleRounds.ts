/** `unify: when_possible`: which roots are chosen together. */
import type { Environment } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { DagHash } from "../spec/concrete.ts";
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
  const nodesOf = (spec: AbstractSpec) => [spec, ...spec.dependencies.map((edge) => edge.spec)];
  const contradict = (a: AbstractSpec, b: AbstractSpec) =>
    nodesOf(a).some((x) =>
      nodesOf(b).some(
        (y) =>
          x.name !== undefined &&
          x.name === y.name &&
          (!intersects(alone(x), alone(y), { dialect }) || excludeDependency(environment, source, x, y)),
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

/**
 * True if one of two specs of a package sets a boolean variant that decides whether the package has a dependency, and the
 * other names that dependency: `ring~mpi` and `ring ^mpich`. Recipes say what a variant decides. Of a cache it is believed
 * when every configuration with the one value has the dependency, none with the other has, and there are both.
 */
function excludeDependency(
  { dialect }: Environment,
  source: PackageSource,
  x: AbstractSpec,
  y: AbstractSpec,
): boolean {
  const { name } = x;
  const wanted = new Set([...x.dependencies, ...y.dependencies].flatMap((edge) => edge.spec.name ?? []));
  const switches = [...x.variants.values(), ...y.variants.values()].filter(({ kind }) => kind === "bool");
  if (name === undefined || wanted.size === 0 || switches.length === 0) return false;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const specs = source.hashesOf(name).flatMap((hash) => source.spec(hash) ?? []);
  return [...wanted].some((dependency) => {
    const constraint = parseSpec(`${name} ^${dependency}`, { dialect });
    const having = new Set(
      specs.filter(({ hash }) => concreteSatisfies(lookup, hash, constraint, { dialect })),
    );
    if (having.size === 0 || having.size === specs.length) return false;
    return switches.some((variant) =>
      specs.every(
        (spec) => having.has(spec) === (spec.variants.get(variant.name) === !variant.values.includes(true)),
      ),
    );
  });
}
