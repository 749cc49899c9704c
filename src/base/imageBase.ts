/** A base from an image in a registry: its layers as they are. */

import { downloadBlob } from "../registry/blobs.ts";
import {
  formatReference,
  formatRepository,
  manifestReference,
  parseReference,
} from "../registry/reference.ts";
import { type RemoteImage, resolveImage } from "../registry/resolveImage.ts";
import { SpacktainersError } from "../util/errors.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { baseOfLayers, knownReading, type LayerReading, readingVersion, readLayer } from "./imageLayers.ts";
import type { AnyBaseLayer, Base, BaseLayer, BasePlan, BuildBaseOptions, ImageBaseSpec } from "./types.ts";

/** Layers under way at a time. */
const layersAtOnce = 3;

type RemoteImageLayer = RemoteImage["layers"][number];

/**
 * Finds an image in a registry, by the digest that a lock names or by its name, and how to read it as a base. A layer is
 * downloaded to learn what is in it, once; where only that is asked, layers that are known stay in the registry.
 *
 * @throws SpacktainersError REFERENCE_INVALID, NOT_FOUND, NOT_SUPPORTED, ARCHIVE_INVALID, CHECKSUM_MISMATCH, ACCESS_DENIED,
 *   NETWORK
 */
export async function planImageBase(
  spec: ImageBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const { architecture, emit, signal, lock } = options;
  const name = parseReference(spec.reference);
  const { repository: open } = options;
  if (open === undefined)
    throw new SpacktainersError("NOT_SUPPORTED", `the base ${spec.reference} is in a registry`, {
      hint: "none can be asked here",
    });
  const repository = open(name);
  const platform = { os: "linux", architecture };
  const image = await resolveImage(repository, lock?.digest ?? manifestReference(name), platform);
  const key = keyOf(["image", readingVersion, image.manifestDigest]);
  const origin = formatRepository(name);

  /** The layer's file, downloaded when it is not there. */
  async function local({ digest, size }: RemoteImageLayer): Promise<string> {
    stopIfAborted(signal);
    const known = await store.layers.find(digest);
    if (known !== undefined) return known;
    const temporary = await store.layers.temporary();
    await downloadBlob(repository, { digest, size }, temporary, {
      label: `layer of ${origin}`,
      partialDirectory: store.incoming,
    });
    return store.layers.adopt(temporary, digest);
  }

  /** A layer that is here, and what is in it. */
  async function localLayer(layer: RemoteImageLayer): Promise<{ layer: BaseLayer; reading: LayerReading }> {
    const { digest, size, diffId, mediaType } = layer;
    const facts = { digest, size, diffId, mediaType, origin, path: await local(layer) };
    const reading = await readLayer(facts, store, emit);
    return { layer: { ...facts, inventory: reading.inventory }, reading };
  }

  /** A layer that may stay where it is when it is known what is in it. */
  async function anyLayer(layer: RemoteImageLayer): Promise<{ layer: AnyBaseLayer; reading: LayerReading }> {
    const { digest, size, diffId, mediaType } = layer;
    const reading = await knownReading(diffId, store);
    if (reading === undefined) return localLayer(layer);
    return { layer: { digest, size, diffId, mediaType, origin, inventory: reading.inventory }, reading };
  }

  return {
    key,
    layerCount: image.layers.length,
    image: { name: formatReference({ ...name, digest: undefined }), digest: image.manifestDigest },
    async find() {
      const found = await findBuilt(store, key);
      return found === undefined
        ? undefined
        : { ...found, layers: found.layers.map((layer) => ({ ...layer, origin })) };
    },
    async make() {
      const layers = await mapConcurrently(image.layers, layersAtOnce, localLayer);
      const base: Base = baseOfLayers(layers, image.config, key);
      await rememberBuilt(store, base);
      return base;
    },
    async refer() {
      const layers = await mapConcurrently(image.layers, layersAtOnce, anyLayer);
      return baseOfLayers(layers, image.config, key);
    },
  };
}
