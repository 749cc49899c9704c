/** A base from an image in an OCI layout directory: its layers as they are. */

import { readOciLayout } from "../archive/oci/readOciLayout.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { baseOfLayers, type LayerReading, readingVersion, readLayer } from "./imageLayers.ts";
import type { BaseLayer, BasePlan, BuildBaseOptions, OciBaseSpec } from "./types.ts";

/**
 * Finds an image in a layout and how to read it as a base: layers stay where they are, their inventories are made.
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH, NOT_SUPPORTED, USAGE (several images fit)
 */
export async function planOciBase(
  spec: OciBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const { emit, signal } = options;
  const query = {
    platform: { os: "linux", architecture: options.architecture },
    ...(spec.reference === undefined ? {} : { reference: spec.reference }),
  };
  // Digests of layers are compared when they are read for the first time.
  const image = await readOciLayout(spec.path, { ...query, verifyLayers: false });
  const key = keyOf(["oci", readingVersion, image.manifestDigest]);
  const paths = new Map(image.layers.map((layer) => [layer.digest, layer.path]));
  return {
    key,
    layerCount: image.layers.length,
    find: () => findBuilt(store, key, (digest) => Promise.resolve(paths.get(digest))),
    async make() {
      await readOciLayout(spec.path, query);
      const layers: { layer: BaseLayer; reading: LayerReading }[] = [];
      for (const layer of image.layers) {
        stopIfAborted(signal);
        const reading = await readLayer(layer, store, emit);
        layers.push({ layer: { ...layer, inventory: reading.inventory }, reading });
      }
      const base = baseOfLayers(layers, image.config, key);
      await rememberBuilt(store, base);
      return base;
    },
  };
}
