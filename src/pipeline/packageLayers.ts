import { layerMediaType } from "../archive/oci/types.ts";
import { layerKeysAnnotation, layerPackagesAnnotation } from "../image/annotations.ts";
import { type FragmentStore, fragmentKey, type StoredFragment } from "../image/fragmentStore.ts";
import type { ImageLayer } from "../image/image.ts";
import { joinFragments } from "../image/joinFragments.ts";
import { planLayers } from "../image/planLayers.ts";
import { briefSpec, type ConcreteSpec } from "../spec/concrete.ts";

/** A package and its fragment. */
export interface PackageFragment {
  readonly spec: ConcreteSpec;
  readonly fragment: StoredFragment;
}

/**
 * The layers of the packages: one each within the budget, the small ones together above it.
 *
 * @param packages in the order wanted in the image, lowest first
 * @param budget how many layers there may be
 */
export async function packageLayers(
  packages: readonly PackageFragment[],
  budget: number,
  store: FragmentStore,
): Promise<readonly ImageLayer[]> {
  // Two packages with the same bytes at the same place cannot be: the key holds the prefix.
  const byKey = new Map<string, PackageFragment>(packages.map((one) => [one.fragment.key, one]));
  const groups = planLayers(
    packages.map(({ spec, fragment }) => ({ key: fragment.key, name: spec.name, size: fragment.size })),
    budget,
  );
  const layers: ImageLayer[] = [];
  for (const keys of groups) {
    const members = keys.flatMap((key) => byKey.get(key) ?? []);
    const [only] = members;
    if (only === undefined) continue;
    const layer = members.length === 1 ? only.fragment : await joined(members, store);
    layers.push({
      path: layer.path,
      digest: layer.digest,
      size: layer.size,
      diffId: layer.diffId,
      mediaType: layerMediaType(layer.compression),
      createdBy: `spacktainers: ${members.map(({ spec }) => briefSpec(spec)).join(" ")}`,
      annotations: {
        [layerKeysAnnotation]: keys.join(" "),
        [layerPackagesAnnotation]: members
          .map(({ spec }) => `${spec.name}@${spec.version}/${spec.hash}`)
          .join(" "),
      },
    });
  }
  return layers;
}

function joined(members: readonly PackageFragment[], store: FragmentStore): Promise<StoredFragment> {
  const fragments = members.map(({ fragment }) => fragment);
  return store.make(fragmentKey({ joined: fragments.map(({ key }) => key) }), async (path) => ({
    facts: await joinFragments(path, fragments),
    // What is in it is known from its members.
    inventory: { entries: [] },
  }));
}
