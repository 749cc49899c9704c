/** A base from an image in a registry: its layers as they are. */
import type { OciLayer } from "../image/layer.ts";
import { openRegistryImage } from "../image/openRegistryImage.ts";
import { localLayer } from "../image/registryLayer.ts";
import {
  formatReference,
  formatRepository,
  manifestReference,
  parseReference,
} from "../registry/reference.ts";
import { SpacktainersError } from "../util/errors.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { type BaseStore, baseKeyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { baseOfLayers, knownReading, type ReadLayer, readingVersion, readLayer } from "./imageLayers.ts";
import type { BasePlan, BuildBaseOptions, ImageBaseSpec } from "./types.ts";

/** Layers under way at a time. */
const layersAtOnce = 3;

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
  const { architecture, signal, lock } = options;
  const name = parseReference(spec.reference);
  const { repository: open } = options;
  if (open === undefined)
    throw new SpacktainersError("NOT_SUPPORTED", `the base ${spec.reference} is in a registry`, {
      hint: "this program has no access to registries here",
    });
  const origin = formatRepository(name);
  const image = await openRegistryImage(open(name), lock?.digest ?? manifestReference(name), {
    platforms: [{ os: "linux", architecture }],
    store,
    shown: origin,
  });
  const { digest } = image.manifest.descriptor;
  const key = baseKeyOf(["image", readingVersion, digest]);
  const [layers, config] = [await image.layers(), (await image.config()).value];

  /** A layer that is here, and what is in it. */
  async function here(remote: OciLayer): Promise<ReadLayer> {
    stopIfAborted(signal);
    const layer = await localLayer(remote);
    return { layer, reading: await readLayer(layer, store, options) };
  }

  /** A layer that may stay where it is when it is known what is in it. */
  async function anywhere(layer: OciLayer): Promise<ReadLayer> {
    const reading = await knownReading(layer, store);
    return reading === undefined ? here(layer) : { layer, reading };
  }

  return {
    key,
    layerCount: layers.length,
    image: { name: formatReference({ ...name, digest: undefined }), digest },
    find: () => findBuilt(store, key, { origin }),
    async make() {
      const base = baseOfLayers(await mapConcurrently(layers, layersAtOnce, here), config, key);
      await rememberBuilt(store, base);
      return base;
    },
    refer: async () => baseOfLayers(await mapConcurrently(layers, layersAtOnce, anywhere), config, key),
  };
}
