/**
 * Which of two solutions is better: Spack's criteria, as far as they can be applied to packages that exist already.
 *
 * A solution's cost is a list of numbers, compared from left to right; each is a sum over the packages of the solution.
 * Order and meaning follow the optimization criteria of Spack's solver (the numbers behind the names are its priorities).
 * The default values of variants are known only to recipes. Unless `packages:` or {@link VariantDefaults} says them, the values
 * that most cached configurations of a package have are taken for its defaults; {@link variantCriteria} says where this
 * guess comes in.
 */
import type { Environment } from "../environment/types.ts";
import type { VariantConstraint } from "../spec/abstract.ts";
import type { ConcreteSpec, ConcreteVariantValue, DagHash } from "../spec/concrete.ts";
import { compatibleTargets } from "../spec/microarchitecture.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import type { SpecLookup } from "../spec/specView.ts";
import { parseVersion, versionsSatisfy } from "../spec/versions.ts";
import { runEdges } from "./closures.ts";
import { defaultProviders } from "./data/defaultProviders.ts";
import { newestFirst } from "./newestFirst.ts";
import { runtimes } from "./packageKinds.ts";
import type { PackageSource } from "./packageSource.ts";
import type { Verdict } from "./requirementRules.ts";
import type { TargetPlatform } from "./rules.ts";

/** The criteria, most important first. */
export const criteria = [
  "requirement weight", // 310
  "version badness (roots)", // 70
  "non-default variants (roots)", // 65
  "preferred providers (roots)", // 60
  "default values of variants not used (roots)", // 55
  "non-default variants (non-roots)", // 50
  "preferred providers (non-roots)", // 45
  "compiler mismatches", // 40
  "version badness (non-roots)", // 25
  "default values of variants not used (non-roots)", // 20
  "non-preferred compilers", // 15
  "target mismatches", // 10
  "non-preferred targets", // 5
  "compiler mismatches (runtimes)", // 4
  "version badness (runtimes)", // 3
  "non-preferred targets (runtimes)", // 2
] as const;

export type Criterion = (typeof criteria)[number];

/** Criteria that depend on default values of variants, of roots and of other packages. */
export const variantCriteria: {
  readonly roots: readonly Criterion[];
  readonly others: readonly Criterion[];
} = {
  roots: ["non-default variants (roots)", "default values of variants not used (roots)"],
  others: ["non-default variants (non-roots)", "default values of variants not used (non-roots)"],
};

/** A cost; as long as {@link criteria}. */
export type Cost = readonly number[];

const at = new Map(criteria.map((name, index) => [name, index]));

/** Values of a variant. */
type Values = readonly (boolean | string)[];

function valuesOf(value: ConcreteVariantValue): Values {
  return typeof value === "object" ? value : [value];
}

/** Negative when `a` is better. */
export function compareCosts(a: Cost, b: Cost): number {
  for (let index = 0; index < criteria.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Default values of variants, known from recipes: an optional help. */
export interface VariantDefaults {
  /** The default values that a variant has in a configuration of a package, or undefined when it is not known. */
  defaultsOf(
    spec: ConcreteSpec,
    variant: string,
    lookup: SpecLookup,
  ): readonly (boolean | string)[] | undefined;
}

/** What costs depend on. */
export interface CostModel {
  /** The share of one package of a solution. */
  shareOf(spec: ConcreteSpec, isRoot: boolean): Cost;
  /** The same with the requirements only. */
  requirementShareOf(spec: ConcreteSpec): Cost;
  /** The cost of a package's being the provider of a virtual in a solution. */
  providerCost(virtual: string, provider: string, isRoot: boolean): Cost;
  /** Variants of the package whose default value nobody knows and nobody asked for. */
  undeterminedVariants(spec: ConcreteSpec): ReadonlyMap<string, ConcreteVariantValue>;
}

/** @param judge see `environmentRules` */
export function costModel(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
  judge: (spec: ConcreteSpec) => Verdict,
  facts?: VariantDefaults,
): CostModel {
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const ranks = new Map<string, ReadonlyMap<string, number>>();

  /** Position of a version among all versions of the package in the caches, newest first; git versions come last. */
  function versionRank(spec: ConcreteSpec): number {
    let known = ranks.get(spec.name);
    if (known === undefined) {
      const versions = source.hashesOf(spec.name).flatMap((hash) => source.spec(hash)?.version ?? []);
      known = new Map(
        newestFirst([spec.version, ...versions], dialect).map((version, index) => [version, index]),
      );
      ranks.set(spec.name, known);
    }
    return known.get(spec.version) ?? known.size;
  }

  const preferredTargets = environment.all.targets.map(({ text }) => text);
  const targetOrder = [...new Set([...preferredTargets, ...compatibleTargets(platform.target)])];
  const explicitTargets = new Set(
    environment.specs
      .flatMap(({ spec }) => [spec, ...spec.dependencies.map((edge) => edge.spec)])
      .flatMap(({ arch }) => arch?.target ?? []),
  );

  /** Position among the targets the platform runs, preferred ones first; a target that the user names counts as best. */
  function targetWeight(spec: ConcreteSpec): number {
    if (explicitTargets.has(spec.target)) return 0;
    const position = targetOrder.indexOf(spec.target);
    return position >= 0 ? position : targetOrder.length;
  }

  function compilerWeight(spec: ConcreteSpec): number {
    const preferences = environment.all.compilers;
    const { compiler } = spec;
    if (compiler === undefined || preferences.length === 0) return 0;
    const version = parseVersion(compiler.version, dialect);
    const index = preferences.findIndex(
      ({ spec: wanted }) => wanted.name === compiler.name && versionsSatisfy(version, wanted.versions),
    );
    return index >= 0 ? index : preferences.length;
  }

  /** Default values that are known for a package: of its own `variants:`, else of those of `all`, else from recipes. */
  function knownDefaults(spec: ConcreteSpec): ReadonlyMap<string, Values> {
    const own = environment.packages.get(spec.name);
    const settings = own !== undefined && own.variants.length > 0 ? own : environment.all;
    const defaults = new Map<string, Values>();
    if (facts !== undefined)
      for (const variant of spec.variants.keys()) {
        const known = facts.defaultsOf(spec, variant, lookup);
        if (known !== undefined) defaults.set(variant, known);
      }
    for (const { spec: option } of settings.variants)
      for (const variant of option.variants.values())
        if (spec.variants.has(variant.name)) defaults.set(variant.name, variant.values);
    return defaults;
  }

  const commonest = new Map<string, ReadonlyMap<string, Values>>();

  /**
   * The values that most cached configurations of a package have, by variant: a guess at the defaults that only recipes
   * know. Where two are equally common there is none. Patches are no choice of anybody's.
   */
  function commonestValues(name: string): ReadonlyMap<string, Values> {
    const before = commonest.get(name);
    if (before !== undefined) return before;
    const counts = new Map<string, Map<string, { readonly values: Values; count: number }>>();
    for (const hash of source.hashesOf(name))
      for (const [variant, value] of source.spec(hash)?.variants ?? []) {
        if (variant === "patches") continue;
        const values = valuesOf(value);
        const byValue = counts.get(variant) ?? new Map();
        counts.set(variant, byValue);
        const entry = byValue.get(values.join()) ?? { values, count: 0 };
        entry.count++;
        byValue.set(values.join(), entry);
      }
    const guesses = new Map<string, Values>();
    for (const [variant, byValue] of counts) {
      const [first, second] = [...byValue.values()].sort((a, b) => b.count - a.count);
      if (first !== undefined && first.count !== second?.count) guesses.set(variant, first.values);
    }
    commonest.set(name, guesses);
    return guesses;
  }

  /** Variants that the user's specs or requirements set for a package. */
  function askedFor(spec: ConcreteSpec): readonly VariantConstraint[] {
    const named = environment.specs
      .flatMap(({ spec: root }) => [root, ...root.dependencies.map((edge) => edge.spec)])
      .filter(({ name }) => name === spec.name);
    const own = environment.packages.get(spec.name);
    const required = own !== undefined && own.require.length > 0 ? own.require : environment.all.require;
    const held = required
      .flatMap(({ options }) => options)
      .map((option) => option.spec)
      .filter((option) => concreteSatisfies(lookup, spec.hash, option, { dialect }));
    return [...named, ...held].flatMap(({ variants }) => [...variants.values()]);
  }

  function variantCosts(spec: ConcreteSpec): { readonly notDefault: number; readonly notUsed: number } {
    const defaults = new Map([...commonestValues(spec.name), ...knownDefaults(spec)]);
    const asked = askedFor(spec);
    let notDefault = 0;
    let notUsed = 0;
    for (const [variant, wanted] of defaults) {
      const value = spec.variants.get(variant);
      if (value === undefined) continue;
      const values = valuesOf(value);
      for (const each of values)
        if (
          !wanted.includes(each) &&
          !asked.some(({ name, values: given }) => name === variant && given.includes(each))
        )
          notDefault++;
      for (const each of wanted) if (!values.includes(each)) notUsed++;
    }
    return { notDefault, notUsed };
  }

  const preferredProviders = new Map<string, readonly string[]>();

  function providerWeight(virtual: string, provider: string): number {
    let preferences = preferredProviders.get(virtual);
    if (preferences === undefined) {
      const own = (environment.all.providers.get(virtual) ?? []).flatMap(({ spec }) => spec.name ?? []);
      preferences = [...own, ...(defaultProviders.get(virtual) ?? [])];
      preferredProviders.set(virtual, preferences);
    }
    const index = preferences.indexOf(provider);
    return index >= 0 ? index : 100;
  }

  function computeShare(spec: ConcreteSpec, isRoot: boolean): Cost {
    const cost = criteria.map(() => 0);
    const add = (criterion: Criterion, amount: number) => {
      const index = at.get(criterion) ?? 0;
      cost[index] = (cost[index] ?? 0) + amount;
    };
    add("requirement weight", judge(spec).weight);
    const { notDefault, notUsed } = variantCosts(spec);
    if (isRoot) {
      add("version badness (roots)", versionRank(spec));
      add("non-default variants (roots)", notDefault);
      add("default values of variants not used (roots)", notUsed);
    } else {
      add("non-default variants (non-roots)", notDefault);
      add("default values of variants not used (non-roots)", notUsed);
      add(
        runtimes.has(spec.name) ? "version badness (runtimes)" : "version badness (non-roots)",
        versionRank(spec),
      );
    }
    add("non-preferred compilers", runtimes.has(spec.name) ? 0 : compilerWeight(spec));
    add(
      runtimes.has(spec.name) ? "non-preferred targets (runtimes)" : "non-preferred targets",
      targetWeight(spec),
    );
    for (const edge of runEdges(spec)) {
      const child = source.spec(edge.hash);
      if (child === undefined) continue;
      const runtime = runtimes.has(child.name);
      if (child.target !== spec.target && !runtime) add("target mismatches", 1);
      const mine = spec.compiler;
      const theirs = child.compiler;
      if (
        mine !== undefined &&
        theirs !== undefined &&
        (mine.name !== theirs.name || mine.version !== theirs.version)
      )
        add(runtime ? "compiler mismatches (runtimes)" : "compiler mismatches", 1);
    }
    return cost;
  }

  const rootShares = new Map<DagHash, Cost>();
  const otherShares = new Map<DagHash, Cost>();
  const providerCosts = new Map<string, Cost>();
  const requirementShares = new Map<number, Cost>();
  return {
    requirementShareOf(spec) {
      const { weight } = judge(spec);
      const share = requirementShares.get(weight) ?? criteria.map((_, index) => (index === 0 ? weight : 0));
      requirementShares.set(weight, share);
      return share;
    },
    providerCost(virtual, provider, isRoot) {
      const key = `${virtual} ${provider} ${isRoot}`;
      const before = providerCosts.get(key);
      if (before !== undefined) return before;
      const cost = criteria.map(() => 0);
      cost[at.get(isRoot ? "preferred providers (roots)" : "preferred providers (non-roots)") ?? 0] =
        providerWeight(virtual, provider);
      providerCosts.set(key, cost);
      return cost;
    },
    shareOf(spec, isRoot) {
      const shares = isRoot ? rootShares : otherShares;
      const before = shares.get(spec.hash);
      if (before !== undefined) return before;
      const share = computeShare(spec, isRoot);
      shares.set(spec.hash, share);
      return share;
    },
    undeterminedVariants(spec) {
      const defaults = knownDefaults(spec);
      const asked = new Set(askedFor(spec).map(({ name }) => name));
      return new Map([...spec.variants].filter(([name]) => !defaults.has(name) && !asked.has(name)));
    },
  };
}
