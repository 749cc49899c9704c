/** A base from an image in an OCI layout directory: its layers as they are. */
import { openLayout } from "../image/openLayout.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { baseOfLayers, knownReading, type ReadLayer, readingVersion, readLayer } from "./imageLayers.ts";
import type { BasePlan, BuildBaseOptions, OciBaseSpec } from "./types.ts";

/**
 * Finds an image in a layout and how to read it as a base: layers stay where they are, their inventories are made.
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH, NOT_SUPPORTED, USAGE (several images fit)
 */
export async function planOciBase(
  { path, reference }: OciBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const image = await openLayout(path, {
    platforms: [{ os: "linux", architecture: options.architecture }],
    reference,
  });
  const { digest } = image.manifest.descriptor;
  const key = keyOf(["oci", readingVersion, digest]);
  const layers = await image.layers();
  const extents = new Map(layers.map((layer) => [layer.digest, layer.extent]));
  return {
    key,
    layerCount: layers.length,
    find: () => findBuilt(store, key, { locate: async (digest) => extents.get(digest) }),
    async make() {
      const read: ReadLayer[] = [];
      for (const layer of layers) {
        stopIfAborted(options.signal);
        const known = await knownReading(layer, store);
        // It is known what a layer of this digest has in it; that these bytes have it is to be seen.
        if (known !== undefined) for await (const _ of layer.blob());
        read.push({ layer, reading: known ?? (await readLayer(layer, store, options)) });
      }
      const base = baseOfLayers(read, (await image.config()).value, key);
      await rememberBuilt(store, base);
      return base;
    },
  };
}
