import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlannedPackage, packageLayerBudget, planLayers } from "../../src/image/planLayers.ts";

const packages = (count: number): PlannedPackage[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `key-${index}`,
    name: `package-${index}`,
    size: ((index * 7919) % 1000) * 1000,
  }));

describe("planLayers", () => {
  it("gives every package its own layer, in order, while there is room", () => {
    expect(planLayers(packages(5), 5)).toEqual([["key-0"], ["key-1"], ["key-2"], ["key-3"], ["key-4"]]);
    expect(planLayers([], 5)).toEqual([]);
  });

  it("puts every package into exactly one layer, never more than the budget, and depends on nothing else", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ name: fc.string(), key: fc.uuid(), size: fc.nat() }), {
          maxLength: 150,
          selector: (item) => item.key,
        }),
        fc.integer({ min: 1, max: 126 }),
        (items, budget) => {
          const plan = planLayers(items, budget);
          expect(plan.length).toBeLessThanOrEqual(budget);
          expect(plan.every((group) => group.length > 0)).toBe(true);
          expect(plan.flat().sort()).toEqual(items.map((item) => item.key).sort());
          expect(planLayers(items, budget)).toEqual(plan);
        },
      ),
    );
  });

  it("keeps the largest packages alone and stays near the budget", () => {
    const items = packages(200);
    const plan = planLayers(items, 57);
    const alone = plan.filter((group) => group.length === 1).flat();
    const bySize = [...items].sort((a, b) => b.size - a.size).slice(0, 38);
    expect(bySize.every((item) => alone.includes(item.key))).toBe(true);
    expect(plan.length).toBeGreaterThan(50);
  });

  it("disturbs one layer when a package gets a new version", () => {
    const items = packages(200);
    const before = new Set(planLayers(items, 57).map((group) => group.join()));
    for (const changed of [0, 17, 100, 199]) {
      const bumped = items.map((item, index) => (index === changed ? { ...item, key: "new-key" } : item));
      const fresh = planLayers(bumped, 57).filter((group) => !before.has(group.join()));
      expect(fresh.length, `package ${changed}`).toBe(1);
    }
  });

  it("disturbs at most two layers when a package comes or goes", () => {
    const items = packages(200);
    const before = new Set(planLayers(items, 57).map((group) => group.join()));
    for (const size of [1, 500_500, 5_000_000]) {
      const grown = [...items, { key: "added", name: "added", size }];
      const fresh = planLayers(grown, 57).filter((group) => !before.has(group.join()));
      expect(fresh.length, `${size} bytes`).toBeLessThanOrEqual(2);
    }
    for (const index of [0, 50, 150]) {
      const fresh = planLayers(items.toSpliced(index, 1), 57).filter((group) => !before.has(group.join()));
      expect(fresh.length, `without ${index}`).toBeLessThanOrEqual(2);
    }
  });
});

describe("packageLayerBudget", () => {
  it("leaves room for the base and the top layer, and never exceeds what runtimes mount", () => {
    expect(packageLayerBudget(60, 2)).toBe(58);
    expect(packageLayerBudget(500, 2)).toBe(125);
    expect(packageLayerBudget(3, 10)).toBe(1);
    expect(() => packageLayerBudget(60, 127)).toThrow(expect.objectContaining({ code: "BASE_INVALID" }));
  });
});
