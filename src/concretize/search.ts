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
export interface SearchChoice {
  readonly chosen: readonly Candidate[];
  readonly cost: Cost;
}

/** The outcome of a search. */
export interface SearchResult {
  readonly best: SearchChoice | undefined;
  /** False when the search was cut short: there may be a better choice, or one at all. */
  readonly complete: boolean;
}

/** Comparisons of a candidate with a partial choice after which a search ends with the best it has. */
export const mostComparisons = 2_000_000;

/** How far a search goes. */
export interface SearchLimits {
  /** Stop at the first choice found, whatever its cost. */
  readonly feasible?: boolean;
  /** Default {@link mostComparisons}. */
  readonly comparisons?: number | undefined;
}

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
  private readonly varying: ReadonlySet<string> | undefined;

  /** @param varying packages whose cost matters; undefined: all */
  constructor(model: CostModel, rootNames: ReadonlySet<string>, varying?: ReadonlySet<string>) {
    this.model = model;
    this.rootNames = rootNames;
    this.varying = varying;
  }

  /** The share of a package, zero where it makes no difference but for requirements. */
  shareOf(spec: ConcreteSpec): Cost {
    if (this.varying === undefined || this.varying.has(spec.name))
      return this.model.shareOf(spec, this.rootNames.has(spec.name));
    return this.model.requirementShareOf(spec);
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
      // What is not unified makes no difference: Spack's solver takes the best there is, whatever was built with what.
      if (this.byName.has(node.name) || closure.byName.get(node.name) !== node.hash) continue;
      this.byName.set(node.name, node.hash);
      this.push(node.name, undefined, this.shareOf(node));
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

/**
 * The cheapest choice in which every package has one configuration. Roots with the fewest candidates are placed first;
 * after each placement, candidates that no longer fit are set aside, and a root left without any ends the branch. Of
 * equal choices the one whose hashes come first wins, in the order of the packages' names: the order in which roots are
 * written makes no difference.
 */
export function searchUnified(
  slots: readonly Slot[],
  model: CostModel,
  { feasible = false, comparisons: most = mostComparisons }: SearchLimits = {},
): SearchResult {
  const fitting = dropMisfits(slots);
  if (fitting === undefined) return { best: undefined, complete: true };
  const rootNames = rootNamesOf(fitting);
  const varying = feasible ? new Set<string>() : varyingNames(fitting);
  const partial = new PartialChoice(model, rootNames, varying);
  const ordered = fitting
    .map(({ candidates, virtual }, index) => ({
      index,
      candidates: candidates
        .map((candidate): Ranked => {
          const mark = partial.add(candidate, virtual);
          const cost = [...partial.cost];
          partial.undo(mark);
          return { candidate, cost, own: partial.shareOf(candidate.spec) };
        })
        .sort(
          (a, b) => compareCosts(a.cost, b.cost) || (a.candidate.spec.hash < b.candidate.spec.hash ? -1 : 1),
        ),
    }))
    .sort(compareSlots);
  let best: SearchChoice | undefined;
  let comparisons = 0;
  let complete = true;
  const placed: (Candidate | undefined)[] = slots.map(() => undefined);

  /** What the remaining roots add at the least: each is a package of its own unless it is there already. */
  function bound(open: readonly OpenSlot[]): Cost {
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

  function place(open: readonly OpenSlot[]): boolean {
    if (best !== undefined && compareCosts(bound(open), best.cost) > 0) return false;
    if (open.length === 0) {
      const chosen = placed.flatMap((candidate) => candidate ?? []);
      const cost = [...partial.cost];
      if (best === undefined || compareCosts(cost, best.cost) < 0) best = { chosen, cost };
      return feasible;
    }
    const next = open.reduce((a, b) => (b.candidates.length < a.candidates.length ? b : a));
    const others = open.filter((slot) => slot !== next);
    for (const { candidate } of next.candidates) {
      comparisons += 1 + others.reduce((sum, slot) => sum + slot.candidates.length, 0);
      if (comparisons > most) {
        complete = false;
        return true;
      }
      const mark = partial.add(candidate, slots[next.index]?.virtual);
      placed[next.index] = candidate;
      const left = others.map((slot) => ({
        index: slot.index,
        candidates: slot.candidates.filter((other) => partial.fits(other.candidate)),
      }));
      const done = left.every(({ candidates }) => candidates.length > 0) && place(left);
      placed[next.index] = undefined;
      partial.undo(mark);
      if (done) return true;
    }
    return false;
  }

  place(ordered);
  return { best, complete };
}

/** A candidate with its cost when alone, and the share of the package itself. */
interface Ranked {
  readonly candidate: Candidate;
  readonly cost: Cost;
  readonly own: Cost;
}

interface OpenSlot {
  readonly index: number;
  readonly candidates: readonly Ranked[];
}

/** By the names of what the roots can be, then by hashes. */
function compareSlots(a: OpenSlot, b: OpenSlot): number {
  for (const [index, { candidate }] of a.candidates.entries()) {
    const other = b.candidates[index]?.candidate;
    if (other === undefined) return 1;
    const [mine, theirs] = [candidate, other].map(({ spec }) => `${spec.name} ${spec.hash}`);
    if (mine !== undefined && theirs !== undefined && mine !== theirs) return mine < theirs ? -1 : 1;
  }
  return a.candidates.length - b.candidates.length;
}

/**
 * Drops candidates that fit nothing some other root can be: where all candidates of a root have a package, each of the
 * others must agree with one of its configurations. Undefined when a root is left without any.
 */
function dropMisfits(slots: readonly Slot[]): readonly Slot[] | undefined {
  let current = slots;
  for (;;) {
    if (current.some(({ candidates }) => candidates.length === 0)) return undefined;
    const allowed = new Map<string, ReadonlySet<DagHash>>();
    for (const { candidates } of current) {
      const [first, ...rest] = candidates;
      for (const name of first?.closure.byName.keys() ?? []) {
        if (!rest.every(({ closure }) => closure.byName.has(name))) continue;
        const before = allowed.get(name);
        const here = new Set(candidates.flatMap(({ closure }) => closure.byName.get(name) ?? []));
        allowed.set(
          name,
          before === undefined ? here : new Set([...here].filter((hash) => before.has(hash))),
        );
      }
    }
    const fits = ({ closure }: Candidate) => {
      for (const [name, hash] of closure.byName) if (allowed.get(name)?.has(hash) === false) return false;
      return true;
    };
    const next = current.map(({ candidates, virtual }) => ({ candidates: candidates.filter(fits), virtual }));
    const dropped = next.some(
      ({ candidates }, index) => candidates.length < (current[index]?.candidates.length ?? 0),
    );
    current = next;
    if (!dropped) return current;
  }
}

/** Packages that do not have the same configuration in all candidates: only they make a difference to costs. */
function varyingNames(slots: readonly Slot[]): ReadonlySet<string> {
  const seen = new Map<string, DagHash>();
  const varying = new Set<string>();
  let total = 0;
  const presence = new Map<string, number>();
  for (const { candidates } of slots)
    for (const { closure } of candidates) {
      total++;
      for (const [name, hash] of closure.byName) {
        presence.set(name, (presence.get(name) ?? 0) + 1);
        const before = seen.get(name);
        if (before === undefined) seen.set(name, hash);
        else if (before !== hash) varying.add(name);
      }
    }
  for (const [name, count] of presence)
    if (
      count < total &&
      !slots.some((slot) => slot.candidates.every(({ closure }) => closure.byName.has(name)))
    )
      varying.add(name);
  return varying;
}
