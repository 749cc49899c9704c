import type { LayerDescription } from "../../supply/imageDescription.ts";

/**
 * What each layer of an image is for: those below the first with packages belong to the base; others without were made by
 * spacktainers.
 *
 * @param packages how many packages each layer has, the lowest first
 */
export function layerRoles(packages: readonly number[]): readonly LayerDescription["role"][] {
  const firstWith = packages.findIndex((count) => count > 0);
  // Even without any package, spacktainers made the top layer.
  const first = firstWith < 0 ? packages.length - 1 : firstWith;
  return packages.map((count, index) => (index < first ? "base" : count > 0 ? "packages" : "top"));
}
