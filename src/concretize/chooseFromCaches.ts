/** Choosing one concrete DAG for an environment from what caches have. Nothing is ever built here. */
import { includedGraph, includedRoots } from "../environment/includedEnvironments.ts";
import type { Environment, RequestedSpec } from "../environment/types.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type Candidate, type Candidates, findCandidates } from "./candidates.ts";
import { runClosures } from "./closures.ts";
import { compatibleRounds } from "./compatibleRounds.ts";
import { type CostModel, compareCosts, costModel, type VariantDefaults } from "./criteria.ts";
import { explainConflict, explainNoCandidate } from "./explainFailure.ts";
import { hashesByVersion } from "./hashesByVersion.ts";
import type { PackageSource } from "./packageSource.ts";
import { reachable } from "./reachable.ts";
import { type EnvironmentRules, environmentRules, type TargetPlatform } from "./rules.ts";
import { type SearchChoice, type SearchResult, type Slot, searchUnified } from "./search.ts";
import type { Resolution } from "./types.ts";
import { unmetPreferences } from "./unmetPreferences.ts";

/** Helps. */
export interface ChoiceOptions {
  /** Default values of variants, from recipes. */
  readonly facts?: VariantDefaults | undefined;
  /** How long a search may take ({@link mostComparisons}). */
  readonly comparisons?: number;
}

/** Everything that is computed once for an environment and its caches. */
export interface ChoiceContext {
  readonly environment: Environment;
  readonly source: PackageSource;
  readonly rules: EnvironmentRules;
  readonly platform: TargetPlatform;
  readonly model: CostModel;
  readonly candidates: readonly Candidates[];
  /** How long a search may take; default {@link mostComparisons}. */
  readonly comparisons: number | undefined;
}

/** Prepares choosing: the candidates of every root. */
export function prepareChoice(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
  options: ChoiceOptions = {},
): ChoiceContext {
  const rules = environmentRules(environment, source, platform);
  const model = costModel(environment, source, { platform, judge: rules.judge, facts: options.facts });
  const closureOf = runClosures(source);
  const byVersion = hashesByVersion(source);
  const candidates = environment.specs.map((request) =>
    findCandidates({ environment, source, closureOf, byVersion, rules }, request),
  );
  return { environment, source, rules, platform, model, candidates, comparisons: options.comparisons };
}

/**
 * For every root the cached spec that Spack would reuse, so that all fit together as `unify` says. Among those that fit,
 * the one that is best by Spack's criteria (see `criteria.ts`). Where only default values of variants would tell, these are
 * guessed, and `undetermined` of the result says so. Deterministic. A search that there is too much of ends with the best choice
 * found so far, and `incomplete` says so.
 *
 * @throws {SpacktainersError} `NO_SOLUTION`, or {@link SpacktainersErrors} with one for each root that cannot be had
 */
export function chooseFromCaches(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
  options: ChoiceOptions = {},
): Resolution {
  return choosePrepared(prepareChoice(environment, source, platform, options));
}

/** As {@link chooseFromCaches}, for what is prepared already. */
export function choosePrepared(context: ChoiceContext): Resolution {
  const { environment, source } = context;
  const hopeless = context.candidates.filter(({ newest }) => newest().length === 0);
  if (hopeless.length > 0) raise(hopeless.map((candidates) => explainNoCandidate(candidates, source)));
  const rounds = choiceRounds(context);
  const chosen = new Map<RequestedSpec, Candidate>();
  const undetermined: Undetermined[] = [];
  const incomplete: string[] = [];
  for (const round of rounds) {
    if (round.length === 0) continue;
    const { best: choice, complete } = chooseRound(context, round);
    if (!complete) incomplete.push(...round.map(({ request }) => request.text));
    raiseAll(unmetPreferences(context, round, choice));
    for (const [index, { request }] of round.entries()) {
      const candidate = choice.chosen[index];
      if (candidate === undefined) continue;
      chosen.set(request, candidate);
      undetermined.push(...alternativesOf(context, round, choice, index));
    }
  }
  const roots = environment.specs.flatMap((request) => {
    const candidate = chosen.get(request);
    return candidate === undefined ? [] : { request: request.text, hash: candidate.spec.hash };
  });
  const included = includedRoots(environment.included);
  const graph = new Map([
    ...includedGraph(environment.included),
    ...reachable(
      source,
      roots.map(({ hash }) => hash),
    ),
  ]);
  return {
    roots: [...roots, ...included.map(({ request, hash }) => ({ request, hash, included: true as const }))],
    graph,
    origin: "caches",
    ...(undetermined.length === 0 ? {} : { undetermined }),
    ...(incomplete.length === 0 ? {} : { incomplete }),
  };
}

/** Roots that must fit together, as `unify` says. */
export function choiceRounds(context: ChoiceContext): readonly (readonly Candidates[])[] {
  const { environment, source, candidates } = context;
  const { unify } = environment.concretizer;
  if (unify === "when_possible") return compatibleRounds(environment, source, candidates);
  return unify ? [candidates] : candidates.map((each) => [each]);
}

type Undetermined = NonNullable<Resolution["undetermined"]>[number];

function raiseAll(errors: readonly SpacktainersError[]): void {
  if (errors.length > 0) raise(errors);
}

function raise(errors: readonly SpacktainersError[]): never {
  const [only] = errors;
  throw only !== undefined && errors.length === 1 ? only : new SpacktainersErrors(errors);
}

/**
 * The best choice for roots that must fit together. Only the newest versions of the roots are tried first: nothing can
 * be better than a choice among them in which every requirement is kept by its first option.
 */
function chooseRound(
  context: ChoiceContext,
  round: readonly Candidates[],
): { readonly best: SearchChoice; readonly complete: boolean } {
  const newest = search(
    context,
    round.map(({ newest, virtual }) => ({ candidates: newest(), virtual })),
  );
  if (newest.best !== undefined && newest.complete && newest.best.cost[0] === 0)
    return { best: newest.best, complete: true };
  const { best, complete } = search(
    context,
    round.map(({ usable, virtual }) => ({ candidates: usable(), virtual })),
  );
  if (best !== undefined) return { best, complete };
  if (!complete)
    throw new SpacktainersError(
      "NO_SOLUTION",
      "no choice was found among a very large number of candidates",
      {
        place: round[0]?.request.place ?? {},
        hint: "make the specs more specific, or write a spack.lock",
      },
    );
  return raise(explainConflict(smallestConflict(context, round)));
}

/** Searches system by system: what was linked against one system's libraries may not run on another. */
export function search(
  { model, comparisons }: Pick<ChoiceContext, "model" | "comparisons">,
  slots: readonly Slot[],
  feasible = false,
): SearchResult {
  const systems = new Set(slots.flatMap(({ candidates }) => candidates.map(({ spec }) => spec.os)));
  let best: SearchChoice | undefined;
  let complete = true;
  for (const os of [...systems].sort()) {
    const result = searchUnified(
      slots.map(({ candidates, virtual }) => ({
        candidates: candidates.filter(({ spec }) => spec.os === os),
        virtual,
      })),
      model,
      { feasible, comparisons },
    );
    complete &&= result.complete;
    if (result.best !== undefined && (best === undefined || compareCosts(result.best.cost, best.cost) < 0))
      best = result.best;
  }
  return { best, complete };
}

/** Leaves out roots one by one as long as the rest still does not fit together. */
function smallestConflict(context: ChoiceContext, round: readonly Candidates[]): readonly Candidates[] {
  let conflicting = round;
  for (const candidates of round) {
    const rest = conflicting.filter((other) => other !== candidates);
    if (rest.length < 2) break;
    const slots = rest.map(({ usable, virtual }) => ({ candidates: usable(), virtual }));
    const { best, complete } = search(context, slots, true);
    if (best === undefined && complete) conflicting = rest;
  }
  return conflicting;
}

/** Other candidates of a root that differ from the chosen one first in variants whose default nobody knows. */
function alternativesOf(
  { model }: ChoiceContext,
  round: readonly Candidates[],
  choice: SearchChoice,
  index: number,
): readonly Undetermined[] {
  const mine = choice.chosen[index];
  const candidates = round[index];
  if (mine === undefined || candidates === undefined) return [];
  const open = model.undeterminedVariants(mine.spec);
  const sameVersion = candidates.ofVersion(mine.spec.version);
  const differing = new Set<string>();
  const alternatives = sameVersion.filter((other) => {
    if (other === mine || other.spec.name !== mine.spec.name) return false;
    const fits = choice.chosen.every(
      (each, at) =>
        at === index ||
        [...other.closure.byName].every(([name, hash]) => (each.closure.byName.get(name) ?? hash) === hash),
    );
    if (!fits) return false;
    const names = [...open].flatMap(([name, value]) =>
      JSON.stringify(other.spec.variants.get(name)) === JSON.stringify(value) ? [] : name,
    );
    for (const name of names) differing.add(name);
    return names.length > 0;
  });
  if (alternatives.length === 0) return [];
  return [
    {
      request: candidates.request.text,
      hash: mine.spec.hash,
      variants: [...differing].sort(),
      alternatives: alternatives.map(({ spec }) => spec.hash),
    },
  ];
}
