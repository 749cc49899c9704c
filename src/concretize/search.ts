/** Choosing one candidate for every root so that they fit together, at the least cost. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import type { Candidate } from "./candidates.ts";
import { type Cost, type CostModel, compareCosts, criteria } from "./criteria.ts";

/** A root with what it can be. */
export interface Slot {
  readonly candidates: readonly Candidate[];
  /** Set when the request names a virtual. */
  readonly virtual: string | undefined;
}

/** One candidate for every slot, in their order. */
export interface Choice {
  readonly chosen: readonly Candidate[];
  readonly cost: Cost;
}

/** The outcome of a search. */
export interface SearchResult {
  readonly best: Choice | undefined;
  /** False when the search was cut short: there may be a better choice, or one at all. */
  readonly complete: boolean;
}

/** Steps after which a search ends with the best it has. A step places one candidate. */
const mostSteps = 200_000;

/** Nodes and costs of a partial choice, with an undo log. */
class PartialChoice {
  readonly byName = new Map<string, DagHash>();
  readonly cost: number[] = criteria.map(() => 0);
  private readonly providers = new Set<string>();
  private readonly log: {
    readonly name: string | undefined;
    readonly provider: string | undefined;
    readonly cost: Cost;
  }[] = [];
  private readonly model: CostModel;
  private readonly rootNames: ReadonlySet<string>;

  constructor(model: CostModel, rootNames: ReadonlySet<string>) {
    this.model = model;
    this.rootNames = rootNames;
  }

  /** False when a package of the closure is there already in another configuration. */
  fits({ closure }: Candidate): boolean {
    for (const [name, hash] of closure.byName) {
      const present = this.byName.get(name);
      if (present !== undefined && present !== hash) return false;
    }
    return true;
  }

  /** Adds a candidate; returns the mark to go back to. */
  add({ spec, closure }: Candidate, virtual: string | undefined): number {
    const mark = this.log.length;
    if (virtual !== undefined) this.addProvider(virtual, spec);
    for (const node of closure.nodes) {
      if (this.byName.has(node.name)) continue;
      this.byName.set(node.name, node.hash);
      this.push(node.name, undefined, this.model.shareOf(node, this.rootNames.has(node.name)));
    }
    for (const pair of closure.provided) this.addProvider(pair.virtual, pair.provider);
    return mark;
  }

  private addProvider(virtual: string, provider: ConcreteSpec): void {
    const key = `${virtual} ${provider.hash}`;
    if (this.providers.has(key)) return;
    this.providers.add(key);
    this.push(
      undefined,
      key,
      this.model.providerCost(virtual, provider.name, this.rootNames.has(provider.name)),
    );
  }

  private push(name: string | undefined, provider: string | undefined, cost: Cost): void {
    this.log.push({ name, provider, cost });
    for (let index = 0; index < this.cost.length; index++)
      this.cost[index] = (this.cost[index] ?? 0) + (cost[index] ?? 0);
  }

  /** Takes back everything that was added since the mark. */
  undo(mark: number): void {
    while (this.log.length > mark) {
      const entry = this.log.pop();
      if (entry === undefined) return;
      if (entry.name !== undefined) this.byName.delete(entry.name);
      if (entry.provider !== undefined) this.providers.delete(entry.provider);
      for (let index = 0; index < this.cost.length; index++)
        this.cost[index] = (this.cost[index] ?? 0) - (entry.cost[index] ?? 0);
    }
  }
}

/** Names of packages that count as roots: those requested, and those that can be a requested virtual. */
export function rootNamesOf(slots: readonly Slot[]): ReadonlySet<string> {
  return new Set(slots.flatMap(({ candidates }) => candidates.map(({ spec }) => spec.name)));
}

/** The cost of a choice. */
export function costOf(
  chosen: readonly Candidate[],
  slots: readonly Slot[],
  model: CostModel,
  rootNames: ReadonlySet<string> = rootNamesOf(slots),
): Cost {
  const partial = new PartialChoice(model, rootNames);
  for (const [index, candidate] of chosen.entries()) partial.add(candidate, slots[index]?.virtual);
  return partial.cost;
}

/** The cost of a candidate without any others. */
function soloCost(
  { spec, closure }: Candidate,
  virtual: string | undefined,
  model: CostModel,
  rootNames: ReadonlySet<string>,
): Cost {
  const sum = criteria.map(() => 0);
  const add = (cost: Cost) => {
    for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] ?? 0) + (cost[index] ?? 0);
  };
  for (const node of closure.nodes) add(model.shareOf(node, rootNames.has(node.name)));
  for (const pair of closure.provided)
    add(model.providerCost(pair.virtual, pair.provider.name, rootNames.has(pair.provider.name)));
  const counted = closure.provided.some((pair) => pair.virtual === virtual && pair.provider === spec);
  if (virtual !== undefined && !counted)
    add(model.providerCost(virtual, spec.name, rootNames.has(spec.name)));
  return sum;
}

/**
 * The cheapest choice in which every package has one configuration. Roots with the fewest candidates are placed first;
 * after each placement, candidates that no longer fit are set aside, and a root left without any ends the branch. Of
 * equal choices the one with the greater `rank` wins, then the one whose hashes come first.
 *
 * @param rank how well a candidate is liked, where costs say nothing
 * @param feasible stop at the first choice found
 */
export function searchUnified(
  slots: readonly Slot[],
  model: CostModel,
  rank: (candidate: Candidate) => number,
  feasible = false,
): SearchResult {
  const rootNames = rootNamesOf(slots);
  const partial = new PartialChoice(model, rootNames);
  const ordered = slots.map(({ candidates, virtual }, index) => ({
    index,
    virtual,
    candidates: candidates
      .map((candidate) => ({
        candidate,
        cost: soloCost(candidate, virtual, model, rootNames),
        own: model.shareOf(candidate.spec, true),
        rank: rank(candidate),
      }))
      .sort(
        (a, b) =>
          compareCosts(a.cost, b.cost) ||
          b.rank - a.rank ||
          (a.candidate.spec.hash < b.candidate.spec.hash ? -1 : 1),
      ),
  }));
  type Ranked = (typeof ordered)[number]["candidates"][number];
  let best: { readonly chosen: readonly Ranked[]; readonly cost: Cost; readonly rank: number } | undefined;
  let steps = 0;
  let complete = true;
  const placed: (Ranked | undefined)[] = slots.map(() => undefined);

  /** What the remaining roots add at the least: each is a package of its own unless it is there already. */
  function bound(open: readonly { readonly candidates: readonly Ranked[] }[]): Cost {
    const cost = [...partial.cost];
    const counted = new Set<string>();
    for (const { candidates } of open) {
      const name = candidates[0]?.candidate.spec.name;
      if (name === undefined || counted.has(name) || partial.byName.has(name)) continue;
      if (candidates.some(({ candidate }) => candidate.spec.name !== name)) continue;
      counted.add(name);
      for (let index = 0; index < cost.length; index++) {
        let least = Number.POSITIVE_INFINITY;
        for (const { own } of candidates) least = Math.min(least, own[index] ?? 0);
        cost[index] = (cost[index] ?? 0) + least;
      }
    }
    return cost;
  }

  function place(
    open: readonly { readonly index: number; readonly candidates: readonly Ranked[] }[],
  ): boolean {
    if (best !== undefined && compareCosts(bound(open), best.cost) > 0) return false;
    if (open.length === 0) {
      const chosen = placed.flatMap((candidate) => candidate ?? []);
      const cost = [...partial.cost];
      const liked = chosen.reduce((sum, candidate) => sum + candidate.rank, 0);
      const better = best === undefined ? -1 : compareCosts(cost, best.cost) || best.rank - liked;
      if (better < 0) best = { chosen, cost, rank: liked };
      return feasible;
    }
    const next = open.reduce((a, b) => (b.candidates.length < a.candidates.length ? b : a));
    const others = open.filter((slot) => slot !== next);
    for (const ranked of next.candidates) {
      if (++steps > mostSteps) {
        complete = false;
        return true;
      }
      const mark = partial.add(ranked.candidate, slots[next.index]?.virtual);
      placed[next.index] = ranked;
      const left = others.map((slot) => ({
        ...slot,
        candidates: slot.candidates.filter(({ candidate }) => partial.fits(candidate)),
      }));
      const done = left.every(({ candidates }) => candidates.length > 0) && place(left);
      placed[next.index] = undefined;
      partial.undo(mark);
      if (done) return true;
    }
    return false;
  }

  place(ordered);
  return {
    best:
      best === undefined
        ? undefined
        : { chosen: best.chosen.map(({ candidate }) => candidate), cost: best.cost },
    complete,
  };
}
