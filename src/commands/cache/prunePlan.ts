/** What may leave a cache and what must stay: pure, from what is there and what is needed. */
import type { StoredPackage } from "../../buildcache/formats/writer.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import type { NamedNeed } from "./namedNeeds.ts";

/** A package that a cache has. A hash may be there in several formats: then each is one. */
export interface StoredNode {
  readonly stored: StoredPackage;
  /** Undefined for what cannot be read: nobody can tell what it is. */
  readonly spec: ConcreteSpec | undefined;
}

/** Why a package stays. */
export type KeepReason =
  /** A lock, an image or a spec of the command line names it; `by` says which, at most some of them. */
  | { readonly kind: "named"; readonly by: readonly string[]; readonly total: number }
  /** Something that stays depends on it. */
  | { readonly kind: "dependency"; readonly of: DagHash }
  /** It is younger than the grace period: it may be part of a push that is under way. */
  | { readonly kind: "young" }
  /** Nobody can tell how old it is. */
  | { readonly kind: "age-unknown" };

/** What is to happen to the packages of one cache. */
export interface PrunePlan {
  readonly keep: ReadonlyMap<DagHash, KeepReason>;
  /** In the order given. */
  readonly remove: readonly StoredNode[];
}

/** What a plan is made of. */
export interface PruneInput {
  readonly stored: readonly StoredNode[];
  readonly needs: readonly Pick<NamedNeed, "label" | "specs" | "roots">[];
  /** Specs of an index and of other caches: what stored packages depend on may be described nowhere else. */
  readonly spec: (hash: DagHash) => ConcreteSpec | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** What is younger stays, in milliseconds; 0: age does not matter. */
  readonly grace: number;
  /** Follow only what is needed at run time, and let go of what was needed to build. */
  readonly runtimeOnly: boolean;
}

/** Names of needs that a reason gives. */
const mostNamed = 5;

/**
 * Decides. A package stays when a need names it, when it is young, or when a package that stays depends on it, over however many
 * steps; of a spliced package the archive that it is made of stays, too. What cannot be read stays while its age is not known to be
 * beyond the grace period.
 */
export function planPrune(facts: PruneInput): PrunePlan {
  const { stored, needs, now, grace, runtimeOnly } = facts;
  const there = new Map<DagHash, ConcreteSpec | undefined>();
  for (const { stored: one, spec } of stored) there.set(one.hash, there.get(one.hash) ?? spec);
  const known = new Map<DagHash, ConcreteSpec>();
  for (const { specs } of needs) for (const [hash, spec] of specs) known.set(hash, spec);
  const specOf = (hash: DagHash) => there.get(hash) ?? known.get(hash) ?? facts.spec(hash);

  const keep = new Map<DagHash, KeepReason>();
  /** What stays, and what would if it were there: dependencies are followed through both. */
  const reached = new Map<DagHash, KeepReason>();
  const reach = (hash: DagHash, reason: KeepReason): void => {
    if (!reached.has(hash)) reached.set(hash, reason);
  };
  const named = new Map<DagHash, { by: string[]; total: number }>();
  for (const { label, specs, roots } of needs) {
    const own = runtimeOnly ? roots : specs.keys();
    for (const hash of own) {
      const reason = named.get(hash) ?? { by: [], total: 0 };
      reason.total++;
      if (reason.by.length < mostNamed) reason.by.push(label);
      named.set(hash, reason);
    }
  }
  for (const [hash, reason] of named) reach(hash, { kind: "named", ...reason });
  for (const { stored: one } of stored) {
    if (grace <= 0) continue;
    if (one.modified === undefined) reach(one.hash, { kind: "age-unknown" });
    else if (now - one.modified < grace) reach(one.hash, { kind: "young" });
  }
  for (const [hash] of reached) {
    const spec = specOf(hash);
    if (spec === undefined) continue;
    if (spec.buildSpec !== undefined) reach(spec.buildSpec.hash, { kind: "dependency", of: hash });
    for (const { hash: dependency, types } of spec.dependencies)
      if (!runtimeOnly || types.has("link") || types.has("run"))
        reach(dependency, { kind: "dependency", of: hash });
  }
  for (const [hash, reason] of reached) if (there.has(hash)) keep.set(hash, reason);
  return { keep, remove: stored.filter(({ stored: one }) => !keep.has(one.hash)) };
}
