/** A base from an image in an OCI layout, or in the archive of one: its layers as they are. */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { fileLayer } from "../image/fileLayer.ts";
import type { OciLayer } from "../image/layer.ts";
import { openOciSource } from "../image/openOciSource.ts";
import type { BlobStore } from "../util/blobStore.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { type BaseStore, baseKeyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { baseOfLayers, knownReading, type ReadLayer, readingVersion, readLayer } from "./imageLayers.ts";
import type { BasePlan, BuildBaseOptions, OciBaseSpec } from "./types.ts";

/**
 * Finds an image in a layout or an archive and how to read it as a base: layers stay where they are, their inventories are made.
 * Layers of an archive that is compressed as a whole are copied into the store.
 *
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH, NOT_SUPPORTED, USAGE (several images fit)
 */
export async function planOciBase(
  { path, reference }: OciBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const image = await openOciSource(path, {
    platforms: [{ os: "linux", architecture: options.architecture }],
    reference,
  });
  const { digest } = image.manifest.descriptor;
  const key = baseKeyOf(["oci", readingVersion, digest]);
  const layers: OciLayer[] = [];
  try {
    for (const layer of await image.layers()) {
      stopIfAborted(options.signal);
      layers.push(isLasting(layer, path) ? layer : await keptLayer(layer, store.layers));
    }
  } finally {
    await image.close();
  }
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

/** Whether a layer's bytes are there when the image is closed: in the layout's directory, or in the archive itself. */
function isLasting({ extent }: OciLayer, path: string): boolean {
  return extent !== undefined && (extent.path === path || extent.path.startsWith(`${path}/`));
}

/** A layer as a file in the store. */
async function keptLayer(layer: OciLayer, store: BlobStore): Promise<OciLayer> {
  const { digest, size, diffId, mediaType, createdBy, annotations } = layer;
  const kept = (path: string): OciLayer =>
    fileLayer({ digest, size, diffId, mediaType, createdBy, annotations }, { path, offset: 0, size });
  const known = await store.find(digest);
  if (known !== undefined) return kept(known);
  const temporary = await store.temporary();
  try {
    await pipeline(layer.blob(), createWriteStream(temporary, { flags: "wx" }));
    return kept(await store.adopt(temporary, digest));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
