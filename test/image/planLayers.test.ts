import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type LayerBudget,
  type PlannedPackage,
  packageLayerBudget,
  planLayers,
} from "../../src/image/planLayers.ts";

const usual: LayerBudget = { alone: 38, shared: 20 };
const layersOf = ({ alone, shared }: LayerBudget): number => alone + shared;

const packages = (count: number): PlannedPackage[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `key-${index}`,
    name: `package-${index}`,
    size: ((index * 7919) % 1000) * 1000 + 1,
  }));

/** Any packages, of names of their own as in most environments, and a budget that may or may not suffice. */
const anyPackages = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1 }),
    key: fc.uuid(),
    size: fc.option(
      fc.double({ min: 0, max: 35, noNaN: true }).map((log) => Math.floor(2 ** log)),
      { nil: undefined },
    ),
  }),
  { minLength: 1, maxLength: 150, selector: ({ name }) => name },
);
const anyBudget = fc.record({ alone: fc.nat(80), shared: fc.integer({ min: 1, max: 45 }) });

/** The groups of a plan, each as one text. */
const groups = (items: readonly PlannedPackage[], budget: LayerBudget): ReadonlySet<string> =>
  new Set(planLayers(items, budget).map((group) => group.join(" ")));
/** Layers of a plan that another one does not have: what must be pushed. */
const fresh = (
  before: readonly PlannedPackage[],
  after: readonly PlannedPackage[],
  budget: LayerBudget,
): number => {
  const known = groups(before, budget);
  return [...groups(after, budget)].filter((group) => !known.has(group)).length;
};
const at = <T>(items: readonly T[], seed: number): T => {
  const item = items[seed % items.length];
  if (item === undefined) throw new Error("no items");
  return item;
};

describe("planLayers", () => {
  it("gives every package its own layer, in order, while there is room", () => {
    const budget = { alone: 3, shared: 2 };
    expect(planLayers(packages(5), budget)).toEqual([["key-0"], ["key-1"], ["key-2"], ["key-3"], ["key-4"]]);
    expect(planLayers([], budget)).toEqual([]);
  });

  it("puts every package into exactly one layer and never makes more than the budget", () => {
    fc.assert(
      fc.property(anyPackages, anyBudget, (items, budget) => {
        const plan = planLayers(items, budget);
        expect(plan.length).toBeLessThanOrEqual(layersOf(budget));
        expect(plan.every((group) => group.length > 0)).toBe(true);
        expect(plan.flat().sort()).toEqual(items.map(({ key }) => key).sort());
      }),
    );
  });

  it("makes the same groups of the same packages in any order", () => {
    fc.assert(
      fc.property(
        anyPackages.chain((items) =>
          fc.tuple(fc.constant(items), fc.shuffledSubarray(items, { minLength: items.length })),
        ),
        anyBudget,
        ([items, shuffled], budget) => {
          expect(groups(shuffled, budget)).toEqual(groups(items, budget));
        },
      ),
    );
  });

  it("changes one layer when a package gets a new version of about the same size", () => {
    fc.assert(
      fc.property(
        anyPackages,
        anyBudget,
        fc.nat(),
        fc.double({ min: 0, max: 0.999 }),
        (items, budget, seed, part) => {
          const old = at(items, seed);
          const power =
            old.size === undefined ? undefined : 2 ** Math.floor(Math.log2(Math.max(1, old.size)));
          const size = power === undefined ? undefined : Math.floor(power * (1 + part));
          const bumped = items.map((item) => (item === old ? { ...item, key: "new", size } : item));
          expect(fresh(items, bumped, budget)).toBe(1);
        },
      ),
    );
  });

  it("changes at most three layers when a package gets a version of any other size", () => {
    fc.assert(
      fc.property(anyPackages, anyBudget, fc.nat(), fc.nat(2 ** 31 - 1), (items, budget, seed, size) => {
        const old = at(items, seed);
        const bumped = items.map((item) => (item === old ? { ...item, key: "new", size } : item));
        expect(fresh(items, bumped, budget)).toBeLessThanOrEqual(3);
      }),
    );
  });

  it("changes at most two layers when a package comes or goes, once layers are shared", () => {
    fc.assert(
      fc.property(anyPackages, anyBudget, fc.nat(), (items, budget, seed) => {
        fc.pre(items.length > layersOf(budget) + 1);
        const gone = at(items, seed);
        const fewer = items.filter((item) => item !== gone);
        expect(fresh(items, fewer, budget)).toBeLessThanOrEqual(2);
        expect(fresh(fewer, items, budget)).toBeLessThanOrEqual(2);
      }),
    );
  });

  it("does not depend on sizes beyond their powers of two", () => {
    fc.assert(
      fc.property(anyPackages, anyBudget, (items, budget) => {
        const rounded = items.map((item) => ({
          ...item,
          size: item.size === undefined ? undefined : 2 ** Math.floor(Math.log2(Math.max(1, item.size))),
        }));
        expect(planLayers(rounded, budget)).toEqual(planLayers(items, budget));
      }),
    );
  });

  it("gives two images the same layers where they share small packages, whatever their large ones and their order", () => {
    const small = packages(120);
    const large = (kind: string): PlannedPackage[] =>
      Array.from({ length: usual.alone }, (_, index) => ({
        key: `${kind}-${index}`,
        name: `${kind}-${index}`,
        size: 2 ** 30,
      }));
    const one = groups([...small, ...large("mine")], usual);
    const other = groups([...large("theirs"), ...small.toReversed()], usual);
    const both = [...one].filter((group) => other.has(group));
    expect(both.join(" ").split(" ").sort()).toEqual(small.map(({ key }) => key).sort());
  });

  it("keeps the largest packages alone and stays near the budget", () => {
    const items = packages(200).map((item, index) => ({ ...item, size: 2 ** (index % 30) }));
    const plan = planLayers(items, usual);
    const alone = new Set(plan.filter((group) => group.length === 1).flat());
    const large = items.filter(({ size }) => size >= 2 ** 25).map(({ key }) => key);
    expect(large.length).toBeLessThanOrEqual(usual.alone);
    expect(large.every((key) => alone.has(key))).toBe(true);
    expect(plan.length).toBeGreaterThan(50);
  });

  it("lets packages below 256 KiB share a quarter of the shared layers, and no layer with larger ones", () => {
    const items = Array.from({ length: 300 }, (_, index) => ({
      key: `key-${index}`,
      name: `package-${index}`,
      size: index < 150 ? 100_000 : 300_000,
    }));
    const shared = planLayers(items, usual).slice(usual.alone);
    const small = new Set(items.slice(0, 150).map(({ key }) => key));
    const [ofSmall, mixed] = [
      shared.filter((group) => group.every((key) => small.has(key))),
      shared.filter((group) => group.some((key) => small.has(key))),
    ];
    expect(ofSmall).toHaveLength(5);
    expect(mixed).toEqual(ofSmall);
    expect(shared).toHaveLength(usual.shared);
  });

  it("gives no layer of its own to a package of unknown size while others are known", () => {
    const items = packages(100).map((item, index) => (index < 5 ? { ...item, size: undefined } : item));
    const single = planLayers(items, usual).slice(0, usual.alone).flat();
    for (let index = 0; index < 5; index++) expect(single).not.toContain(`key-${index}`);
  });
});

describe("packageLayerBudget", () => {
  it("leaves room for the base and the top layer, and never exceeds what runtimes mount", () => {
    expect(packageLayerBudget(60, 2)).toEqual({ alone: 38, shared: 20 });
    expect(packageLayerBudget(500, 2)).toEqual({ alone: 82, shared: 43 });
    expect(packageLayerBudget(127, 126)).toEqual({ alone: 0, shared: 1 });
    expect(packageLayerBudget(3, 10)).toEqual({ alone: 0, shared: 1 });
    expect(() => packageLayerBudget(60, 127)).toThrow(expect.objectContaining({ code: "BASE_INVALID" }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(126), (budget, taken) => {
        const { alone, shared } = packageLayerBudget(budget, taken);
        expect(alone).toBeGreaterThanOrEqual(0);
        expect(shared).toBeGreaterThanOrEqual(1);
        expect(alone + shared + taken).toBeLessThanOrEqual(Math.max(taken + 1, Math.min(budget, 127)));
      }),
    );
  });

  it("keeps the shared layers when the base gets more layers", () => {
    const items = packages(200);
    const before = planLayers(items, packageLayerBudget(60, 2));
    const known = new Set(before.map((group) => group.join()));
    const after = planLayers(items, packageLayerBudget(60, 5));
    expect(after.filter((group) => !known.has(group.join())).length).toBeLessThanOrEqual(3);
  });
});
