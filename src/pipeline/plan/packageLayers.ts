import { type FragmentKey, fragmentKey } from "../../image/fragmentStore.ts";
import { type LayerBudget, planLayers } from "../../image/planLayers.ts";
import type { PlannedFragment } from "./makeFragments.ts";

/** A layer of packages, decided before anything of it is made. */
export interface PackageLayer {
  /** Under which the store has its blob: that of its fragment, or of several joined. */
  readonly key: FragmentKey;
  /** Lowest first; at least one. */
  readonly members: readonly PlannedFragment[];
}

/**
 * Decides which packages share a layer. Pure: only what is known before a fragment is made.
 *
 * @param fragments in the order wanted in the image, lowest first
 * @param sizeOf bytes of a package's archive, where known
 */
export function planPackageLayers(
  fragments: readonly PlannedFragment[],
  sizeOf: (fragment: PlannedFragment) => number | undefined,
  budget: LayerBudget,
): readonly PackageLayer[] {
  // Two packages with the same bytes at the same place cannot be: the key holds the prefix.
  const byKey = new Map<string, PlannedFragment>(fragments.map((one) => [one.key, one]));
  const groups = planLayers(
    fragments.map((one) => ({ key: one.key, name: one.spec.name, size: sizeOf(one) })),
    budget,
  );
  return groups.flatMap((keys) => {
    const members = keys.flatMap((key) => byKey.get(key) ?? []);
    const [only] = members;
    if (only === undefined) return [];
    return [{ key: layerKey(members.map((one) => one.key)), members }];
  });
}

/** Key of the layer that consists of these fragments, of which there is at least one. */
export function layerKey(fragments: readonly string[]): FragmentKey {
  const [only] = fragments;
  return only !== undefined && fragments.length === 1
    ? (only as FragmentKey)
    : fragmentKey({ joined: fragments });
}
