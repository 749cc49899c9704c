/** Choosing one concrete DAG for an environment from what caches have. Nothing is ever built here. */
import type { Environment, RequestedSpec } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { intersects } from "../spec/intersects.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type Candidate, type Candidates, findCandidates } from "./candidates.ts";
import { runClosures } from "./closures.ts";
import { type CostModel, compareCosts, costModel, type RecipeFacts } from "./criteria.ts";
import { explainConflict, explainNoCandidate, explainPreference } from "./explainFailure.ts";
import type { PackageSource } from "./packageSource.ts";
import { environmentRules, type TargetPlatform, type UnmetPreference, type Verdict } from "./rules.ts";
import { type Choice, type SearchResult, type Slot, searchUnified } from "./search.ts";
import type { Resolution } from "./types.ts";

/** Helps. */
export interface ChoiceOptions {
  /** Default values of variants, from recipes. */
  readonly facts?: RecipeFacts;
  /** How long a search goes on ({@link mostComparisons}). */
  readonly comparisons?: number;
}

/** Everything that is computed once for an environment and its caches. */
export interface ChoiceContext {
  readonly environment: Environment;
  readonly source: PackageSource;
  readonly judge: (spec: ConcreteSpec) => Verdict;
  readonly model: CostModel;
  readonly candidates: readonly Candidates[];
  /** How long a search goes on; default {@link mostComparisons}. */
  readonly comparisons: number | undefined;
}

/** Prepares choosing: the candidates of every root. */
export function prepareChoice(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
  options: ChoiceOptions = {},
): ChoiceContext {
  const judge = environmentRules(environment, source, platform);
  const model = costModel(environment, source, platform, judge, options.facts);
  const closureOf = runClosures(source);
  const candidates = environment.specs.map((request) =>
    findCandidates({ environment, source, closureOf, judge }, request),
  );
  return { environment, source, judge, model, candidates, comparisons: options.comparisons };
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
    refuseUnmetPreferences(context, choice);
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
  return {
    roots,
    graph: reachable(
      source,
      roots.map(({ hash }) => hash),
    ),
    origin: "caches",
    ...(undetermined.length === 0 ? {} : { undetermined }),
    ...(incomplete.length === 0 ? {} : { incomplete }),
  };
}

/** Roots that must fit together, as `unify` says. */
export function choiceRounds({ environment, candidates }: ChoiceContext): readonly (readonly Candidates[])[] {
  const { unify } = environment.concretizer;
  if (unify === "when_possible") return compatibleRounds(environment, candidates);
  return unify ? [candidates] : candidates.map((each) => [each]);
}

type Undetermined = NonNullable<Resolution["undetermined"]>[number];

function raise(errors: readonly SpacktainersError[]): never {
  const [only] = errors;
  throw only !== undefined && errors.length === 1 ? only : new SpacktainersErrors(errors);
}

/**
 * The best choice for roots that must fit together. Only the newest versions of the roots are looked at first: nothing can
 * be better than a choice among them in which every requirement is kept by its first option.
 */
function chooseRound(
  context: ChoiceContext,
  round: readonly Candidates[],
): { readonly best: Choice; readonly complete: boolean } {
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
    throw new SpacktainersError("NO_SOLUTION", "no choice was found among the very many that there are", {
      place: round[0]?.request.place ?? {},
      hint: "narrow the specs down, or write a spack.lock",
    });
  return raise(explainConflict(smallestConflict(context, round)));
}

/** Searches system by system: what was linked against one system's libraries may not run on another. */
export function search(
  { model, comparisons }: Pick<ChoiceContext, "model" | "comparisons">,
  slots: readonly Slot[],
  feasible = false,
): SearchResult {
  const systems = new Set(slots.flatMap(({ candidates }) => candidates.map(({ spec }) => spec.os)));
  let best: Choice | undefined;
  let complete = true;
  for (const os of [...systems].sort()) {
    const result = searchUnified(
      slots.map(({ candidates, virtual }) => ({
        candidates: candidates.filter(({ spec }) => spec.os === os),
        virtual,
      })),
      model,
      { feasible, ...(comparisons === undefined ? {} : { comparisons }) },
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

/**
 * `when_possible`: roots that can be had together are, the others follow in rounds of their own. Spack would rather build
 * than split, so only roots that contradict each other in the user's own words are split.
 */
function compatibleRounds(
  environment: Environment,
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
          !intersects({ ...x, dependencies: [] }, { ...y, dependencies: [] }, { dialect }),
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

/**
 * Spack minimizes the weights of requirements before it counts what must be built. So a choice that keeps a requirement
 * by a less preferred option is Spack's choice only if nothing better could be built: if the preferred option
 * contradicts what the user asks for anyway.
 */
function refuseUnmetPreferences(context: ChoiceContext, choice: Choice): void {
  const refused = new Map<string, SpacktainersError>();
  const judged = new Set<DagHash>();
  for (const { closure } of choice.chosen)
    for (const node of closure.nodes) {
      if (judged.has(node.hash) || node.external !== undefined) continue;
      if (closure.byName.get(node.name) !== node.hash) continue;
      judged.add(node.hash);
      for (const unmet of context.judge(node).unmet)
        if (couldBeMet(context.environment, unmet)) {
          const error = explainPreference(unmet);
          refused.set(error.message, error);
        }
    }
  if (refused.size > 0) raise([...refused.values()]);
}

/** True if a more preferred option goes together with everything else that the user says of the package. */
function couldBeMet(environment: Environment, { requirement, preferred, spec }: UnmetPreference): boolean {
  const { dialect } = environment;
  const said = environment.specs
    .flatMap(({ spec: root }) => [root, ...root.dependencies.map((edge) => edge.spec)])
    .filter(({ name }) => name === spec.name)
    .map((each) => ({ ...each, dependencies: [] }));
  const own = environment.packages.get(spec.name);
  const others = (own !== undefined && own.require.length > 0 ? own : environment.all).require.filter(
    (other) => other !== requirement && other.when === undefined,
  );
  return preferred.some(
    ({ spec: option }) =>
      said.every((each) => intersects(each, { ...option, name: spec.name, dependencies: [] }, { dialect })) &&
      others.every((other) =>
        other.options.some((alternative) =>
          intersects({ ...alternative.spec, dependencies: [] }, { ...option, dependencies: [] }, { dialect }),
        ),
      ),
  );
}

/** Other candidates of a root that differ from the chosen one first in variants whose default nobody knows. */
function alternativesOf(
  { model }: ChoiceContext,
  round: readonly Candidates[],
  choice: Choice,
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

/** Everything that the roots reach, over all edges, as far as the caches know it. */
function reachable(source: PackageSource, roots: readonly DagHash[]): ReadonlyMap<DagHash, ConcreteSpec> {
  const graph = new Map<DagHash, ConcreteSpec>();
  const queue = new Set(roots);
  for (const hash of queue) {
    const spec = source.spec(hash);
    if (spec === undefined) continue;
    graph.set(hash, spec);
    for (const edge of spec.dependencies) queue.add(edge.hash);
    if (spec.buildSpec !== undefined) queue.add(spec.buildSpec.hash);
  }
  return graph;
}
