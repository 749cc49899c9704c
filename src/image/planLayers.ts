import { createHash } from "node:crypto";
import { SpacktainersError } from "../util/errors.ts";
import { maxLayers } from "./image.ts";

/** One package for {@link planLayers}. */
export interface PlannedPackage {
  /** Its fragment's key, unique. */
  readonly key: string;
  readonly name: string;
  /** Bytes of the compressed fragment. */
  readonly size: number;
}

/**
 * How many layers are left for packages.
 * @param budget layers of the whole image; what runtimes can mount is the limit in any case
 * @param taken layers of the base and on top of the packages
 * @throws SpacktainersError BASE_INVALID when the base leaves no room
 */
export function packageLayerBudget(budget: number, taken: number): number {
  if (taken >= maxLayers)
    throw new SpacktainersError(
      "BASE_INVALID",
      `the base leaves no room for packages: it has so many layers that ${taken} of ${maxLayers} are taken`,
    );
  return Math.max(1, Math.min(budget, maxLayers) - taken);
}

/**
 * Decides which packages share a layer. Pure.
 *
 * Within the budget every package has a layer of its own. Above it, two thirds of the layers go to the largest packages,
 * one each; the others are dealt into the remaining layers by a hash of their *name*. So a new version of a package stays
 * in its layer's place and disturbs only that layer; a package more or less disturbs one layer, or two when it changes
 * which packages are the largest.
 *
 * @param packages in the order wanted in the image, bottom first (dependencies before dependents is best)
 * @param budget how many layers there may be, at least 1
 * @returns groups of keys, bottom first: single packages in the order given, then the shared layers. No group is empty.
 */
export function planLayers(
  packages: readonly PlannedPackage[],
  budget: number,
): readonly (readonly string[])[] {
  if (packages.length <= budget) return packages.map((item) => [item.key]);
  const buckets = Math.max(1, Math.ceil(budget / 3));
  const bySize = [...packages].sort(
    (a, b) => b.size - a.size || compare(a.name, b.name) || compare(a.key, b.key),
  );
  const alone = new Set(bySize.slice(0, budget - buckets).map((item) => item.key));
  const shared: string[][] = Array.from({ length: buckets }, () => []);
  for (const item of packages) if (!alone.has(item.key)) shared[bucketOf(item.name, buckets)]?.push(item.key);
  return [
    ...packages.filter((item) => alone.has(item.key)).map((item) => [item.key]),
    ...shared.filter((group) => group.length > 0),
  ];
}

function bucketOf(name: string, buckets: number): number {
  return createHash("sha256").update(name).digest().readUInt32BE(0) % buckets;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
