/** Why one cached configuration of a package was taken and not another. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { compareVersions, parseVersion } from "../spec/versions.ts";
import type { Candidate, Candidates, Rejection } from "./candidates.ts";
import { type ChoiceContext, choiceRounds, search } from "./chooseFromCaches.ts";
import { runEdges } from "./closures.ts";
import { type Cost, type Criterion, criteria, variantCriteria } from "./criteria.ts";
import type { Violation } from "./requirementRules.ts";
import { costOf, rootNamesOf, type SearchResult, type Slot } from "./search.ts";

/** What speaks against a configuration. */
export type AlternativeVerdict =
  /** It was taken. */
  | { readonly kind: "chosen" }
  /** The machine that built the cache had it; it is no package that can be downloaded. */
  | { readonly kind: "external" }
  /** The index knows it, no cache has its archive. */
  | { readonly kind: "not-cached" }
  /** It, or something it needs, breaks constraints. */
  | { readonly kind: "excluded"; readonly violations: readonly Violation[] }
  /** Nothing that was asked for can be had that was built with it. `needed`: what was, and why that cannot be. */
  | {
      readonly kind: "unused";
      readonly needed?: { readonly spec: ConcreteSpec; readonly violations: readonly Violation[] };
    }
  /** It does not go together with other specs that were asked for. */
  | { readonly kind: "clash"; readonly requests: readonly string[] }
  /** The best choice with it is worse than the one that was taken. */
  | {
      readonly kind: "worse";
      readonly criterion: Criterion;
      /** Packages that are worse by it in that choice, and what was taken in their place. */
      readonly because: readonly {
        readonly with: ConcreteSpec;
        readonly instead: ConcreteSpec | undefined;
      }[];
      /** Variants whose default was guessed, when these decided: the values that most cached configurations have. */
      readonly guessed: readonly string[];
    }
  /** As good by everything that caches can tell; `variants`: in which the two differ. */
  | { readonly kind: "equal"; readonly variants: readonly string[] }
  /** Not looked into: there are too many. */
  | { readonly kind: "unknown" };

/** A configuration of a package that caches know, and why it was taken or not. */
export interface Alternative {
  readonly spec: ConcreteSpec;
  readonly verdict: AlternativeVerdict;
}

/** How many configurations are looked into, unless told otherwise. */
const mostExplained = 20;

/**
 * All configurations of a package that the caches know, newest first, each with what speaks against it.
 *
 * @param chosen what was taken for each root, by hash
 * @param limit how many are looked into; the rest is `unknown`
 */
export function explainAlternatives(
  context: ChoiceContext,
  chosen: readonly DagHash[],
  name: string,
  limit = mostExplained,
): readonly Alternative[] {
  const { source, environment } = context;
  const specs = source
    .hashesOf(name)
    .flatMap((hash) => source.spec(hash) ?? [])
    .sort(
      (a, b) =>
        compareVersions(
          parseVersion(b.version, environment.dialect),
          parseVersion(a.version, environment.dialect),
        ) || (a.hash < b.hash ? -1 : 1),
    );
  const rounds = choiceRounds(context).map((round) => openRound(round, chosen));
  const taken = new Set(
    rounds.flatMap(({ choice }) => choice.flatMap(({ closure }) => closure.nodes.map(({ hash }) => hash))),
  );
  let known: readonly Rejection[] | undefined;
  const rejected = (): readonly Rejection[] => {
    known ??= rounds.flatMap(({ candidates }) => candidates.flatMap(({ rejections }) => rejections()));
    return known;
  };
  let left = limit;
  return specs.map((spec): Alternative => {
    if (taken.has(spec.hash)) return { spec, verdict: { kind: "chosen" } };
    if (spec.external === undefined && left-- <= 0) return { spec, verdict: { kind: "unknown" } };
    return {
      spec,
      verdict:
        plainVerdict(context, rounds, rejected, spec) ?? judgeAlternative(context, rounds, rejected, spec),
    };
  });
}

/** Roots that are chosen together, and what was taken for them. */
interface Round {
  readonly candidates: readonly Candidates[];
  readonly slots: readonly Slot[];
  /** In the order of the slots; empty when what was taken is not among the candidates. */
  readonly choice: readonly Candidate[];
}

function openRound(candidates: readonly Candidates[], chosen: readonly DagHash[]): Round {
  const slots = candidates.map(({ usable, virtual }) => ({ candidates: usable(), virtual }));
  const choice = slots.flatMap(
    (slot) => slot.candidates.find(({ spec }) => chosen.includes(spec.hash)) ?? [],
  );
  return { candidates, slots, choice: choice.length === slots.length ? choice : [] };
}

/** What can be said of a configuration by itself. */
function plainVerdict(
  { source, rules }: ChoiceContext,
  rounds: readonly Round[],
  rejected: () => readonly Rejection[],
  spec: ConcreteSpec,
): AlternativeVerdict | undefined {
  if (spec.external !== undefined) return { kind: "external" };
  const cached = source.has(spec.hash) || (spec.buildSpec !== undefined && source.has(spec.buildSpec.hash));
  if (!cached) return { kind: "not-cached" };
  // Several specs may ask for one package: what none of them can take is excluded by all of them.
  if (rounds.some(({ slots }) => slots.some(({ candidates }) => candidates.some((one) => one.spec === spec))))
    return undefined;
  const own = rejected().filter((rejection) => rejection.spec.hash === spec.hash);
  const violations = own.length > 0 ? own.flatMap((each) => each.violations) : rules.judge(spec).violations;
  return violations.length > 0 ? { kind: "excluded", violations } : undefined;
}

function judgeAlternative(
  context: ChoiceContext,
  rounds: readonly Round[],
  rejected: () => readonly Rejection[],
  spec: ConcreteSpec,
): AlternativeVerdict {
  const has = ({ closure }: Candidate): boolean => closure.nodes.some(({ hash }) => hash === spec.hash);
  const hasName = ({ closure }: Candidate): boolean => closure.nodes.some(({ name }) => name === spec.name);
  const round = rounds.find(({ slots }) => slots.some(({ candidates }) => candidates.some(has)));
  if (round === undefined) return unusedVerdict(context, rejected, spec);
  const certain = worseForCertain(context, round, spec);
  if (certain !== undefined) return certain;
  const slots = round.slots.map(({ candidates, virtual }) => ({
    virtual,
    candidates: candidates.filter((candidate) => has(candidate) || !hasName(candidate)),
  }));
  const { best, complete } = searchWith(context, round, slots, has);
  if (best === undefined && !complete) return { kind: "unknown" };
  if (best === undefined || !best.chosen.some(has)) return clashVerdict(context, round, slots, has);
  if (round.choice.length === 0) return { kind: "equal", variants: [] };
  const rootNames = rootNamesOf(round.slots);
  const costs = (choice: readonly Candidate[]): Cost => costOf(choice, round.slots, context.model, rootNames);
  const [mine, theirs] = [costs(round.choice), costs(best.chosen)];
  const index = criteria.findIndex((_, at) => (mine[at] ?? 0) !== (theirs[at] ?? 0));
  const criterion = criteria[index];
  if (criterion === undefined) return { kind: "equal", variants: openVariants(context, round, spec) };
  const because = reasons(context, round, best.chosen, index);
  return { kind: "worse", criterion, because, guessed: guessedVariants(context, criterion, because) };
}

/** The best choice with a package. As in choosing, the newest versions of the other roots are tried first. */
function searchWith(
  context: ChoiceContext,
  round: Round,
  slots: readonly Slot[],
  has: (candidate: Candidate) => boolean,
): SearchResult {
  const newest = slots.map(({ candidates, virtual }, index) => {
    const among = new Set(round.candidates[index]?.newest().map(({ spec }) => spec.hash));
    return { virtual, candidates: candidates.filter((one) => has(one) || among.has(one.spec.hash)) };
  });
  if (newest.every(({ candidates }) => candidates.length > 0)) {
    const found = search(context, newest);
    if (found.best !== undefined && found.complete && found.best.cost[0] === 0 && found.best.chosen.some(has))
      return found;
  }
  return search(context, slots);
}

/**
 * Roots are most often worse by their versions, which shows without a search: every choice with the package costs at least
 * its own share and the least shares of the other roots.
 */
function worseForCertain(
  { model }: ChoiceContext,
  round: Round,
  spec: ConcreteSpec,
): AlternativeVerdict | undefined {
  const rootNames = rootNamesOf(round.slots);
  if (round.choice.length === 0 || !rootNames.has(spec.name)) return undefined;
  const least = new Map<string, readonly ConcreteSpec[]>([[spec.name, [spec]]]);
  for (const { candidates } of round.slots) {
    const name = candidates[0]?.spec.name;
    // What can be several packages may be one that is counted already.
    if (name === undefined || least.has(name) || candidates.some((one) => one.spec.name !== name)) continue;
    least.set(
      name,
      candidates.map((one) => one.spec),
    );
  }
  const taken = costOf(round.choice, round.slots, model, rootNames);
  for (const [index, criterion] of criteria.entries()) {
    let bound = 0;
    for (const specs of least.values())
      bound += specs.reduce(
        (low, one) => Math.min(low, model.shareOf(one, true)[index] ?? 0),
        Number.POSITIVE_INFINITY,
      );
    const cost = taken[index] ?? 0;
    if (bound < cost) return undefined;
    if (bound === cost) continue;
    const instead = round.choice
      .flatMap(({ closure }) => closure.nodes)
      .find(({ name }) => name === spec.name);
    const more =
      (model.shareOf(spec, true)[index] ?? 0) >
      (instead === undefined ? 0 : (model.shareOf(instead, true)[index] ?? 0));
    // Only what is plain to see is said so: the package itself is worse.
    if (!more || variantCriteria.roots.includes(criterion)) return undefined;
    return { kind: "worse", criterion, because: [{ with: spec, instead }], guessed: [] };
  }
  return undefined;
}

/** Packages whose share of a criterion is greater in another choice. */
function reasons(
  { model }: ChoiceContext,
  round: Round,
  other: readonly Candidate[],
  index: number,
): Extract<AlternativeVerdict, { kind: "worse" }>["because"] {
  const rootNames = rootNamesOf(round.slots);
  const nodes = (choice: readonly Candidate[]) =>
    new Map(choice.flatMap(({ closure }) => closure.nodes.map((node) => [node.name, node] as const)));
  const share = (spec: ConcreteSpec | undefined): number =>
    spec === undefined ? 0 : (model.shareOf(spec, rootNames.has(spec.name))[index] ?? 0);
  const before = nodes(round.choice);
  return [...nodes(other).values()]
    .filter((node) => node.hash !== before.get(node.name)?.hash && share(node) > share(before.get(node.name)))
    .map((node) => ({ with: node, instead: before.get(node.name) }))
    .sort((a, b) => (a.with.name < b.with.name ? -1 : 1));
}

/** Variants that decided by defaults which are only guessed. */
function guessedVariants(
  { model }: ChoiceContext,
  criterion: Criterion,
  because: Extract<AlternativeVerdict, { kind: "worse" }>["because"],
): readonly string[] {
  if (![...variantCriteria.roots, ...variantCriteria.others].includes(criterion)) return [];
  const names = because.flatMap(({ with: spec, instead }) =>
    [...model.undeterminedVariants(spec)].flatMap(([name, value]) =>
      JSON.stringify(instead?.variants.get(name)) === JSON.stringify(value) ? [] : name,
    ),
  );
  return [...new Set(names)].sort();
}

/** Variants that nobody asked for in which a configuration differs from the one that was taken. */
function openVariants({ model }: ChoiceContext, round: Round, spec: ConcreteSpec): readonly string[] {
  const taken = round.choice.flatMap(({ closure }) => closure.nodes).find(({ name }) => name === spec.name);
  if (taken === undefined) return [];
  return [...model.undeterminedVariants(taken)]
    .filter(([name, value]) => JSON.stringify(spec.variants.get(name)) !== JSON.stringify(value))
    .map(([name]) => name)
    .sort();
}

/** A root that was built with it, nearest first: the one with the fewest faults. */
function unusedVerdict(
  { source }: ChoiceContext,
  rejected: () => readonly Rejection[],
  spec: ConcreteSpec,
): AlternativeVerdict {
  const [nearest] = rejected()
    .filter((rejection) => reaches(rejection.spec))
    .sort((a, b) => a.violations.length - b.violations.length || (a.spec.hash < b.spec.hash ? -1 : 1));
  return nearest === undefined
    ? { kind: "unused" }
    : { kind: "unused", needed: { spec: nearest.spec, violations: nearest.violations } };

  function reaches(root: ConcreteSpec): boolean {
    const seen = new Set([root.hash]);
    for (const hash of seen) {
      if (hash === spec.hash) return true;
      for (const edge of runEdges(source.spec(hash) ?? root)) seen.add(edge.hash);
    }
    return false;
  }
}

/** Other roots, each of which alone does not go together with what has the package. */
function clashVerdict(
  context: ChoiceContext,
  round: Round,
  slots: readonly Slot[],
  has: (candidate: Candidate) => boolean,
): AlternativeVerdict {
  const withIt = slots.findIndex(({ candidates }) => candidates.some(has));
  const first = slots[withIt];
  const requests = round.candidates.flatMap(({ request }, index) => {
    const slot = slots[index];
    if (slot === undefined || first === undefined || index === withIt) return [];
    const pair = [{ ...first, candidates: first.candidates.filter(has) }, slot];
    return search(context, pair, true).best === undefined ? [request.text] : [];
  });
  return { kind: "clash", requests };
}
