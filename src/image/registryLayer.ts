import { readBlob } from "../registry/blobs.ts";
import { formatRepository } from "../registry/reference.ts";
import type { ImageRepository } from "../registry/registry.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { fileLayer } from "./fileLayer.ts";
import type { OciImage } from "./image.ts";
import type { FileExtent, LayerDescriptor, OciLayer } from "./layer.ts";
import { fetchBlob, type LayerStore } from "./layerStore.ts";

/** Layers under way at a time. */
const layersAtOnce = 3;

/** A layer whose bytes are on this machine. */
export type LocalLayer = OciLayer & { readonly extent: FileExtent };

/** A layer that a repository has, and where a copy of it is kept. */
export interface RegistryLayerSource {
  readonly repository: ImageRepository;
  readonly store: LayerStore;
  /** What the layer is of, for people. */
  readonly shown: string;
}

/**
 * A layer in a registry. Its bytes as they are stored come from there; its tar, which is often read more than once, from a
 * copy on this machine, which is fetched when it is first needed.
 */
export function registryLayer(
  facts: LayerDescriptor,
  { repository, store, shown }: RegistryLayerSource,
): OciLayer {
  const { digest, size } = facts;
  const origin = formatRepository(repository);
  const place = { url: `${origin}@${digest}` };
  const fetched = async (): Promise<OciLayer> => {
    const path = await fetchBlob(repository, facts, store, `layer of ${shown}`);
    return fileLayer(facts, { path, offset: 0, size }, { origin, place });
  };
  let copy: Promise<OciLayer> | undefined;
  const local = (): Promise<OciLayer> => {
    copy ??= fetched().catch((error: unknown) => {
      copy = undefined;
      throw error;
    });
    return copy;
  };
  return {
    ...facts,
    place,
    extent: undefined,
    origin,
    local: async () => (await local()).local(),
    blob: () => readBlob(repository, { digest, size }),
    async *tar(onStored) {
      yield* (await local()).tar(onStored);
    },
  };
}

/** A layer whose bytes are on this machine: the layer itself, or a copy that is fetched now. */
export async function localLayer(layer: OciLayer): Promise<LocalLayer> {
  const extent = await layer.local();
  // The copy may have been compared with its diffId already, which a new layer of the same file would not know.
  return { ...layer, extent };
}

/** The layers of an image, fetched where they are not on this machine. */
export async function localLayers(image: OciImage): Promise<readonly LocalLayer[]> {
  return mapConcurrently(await image.layers(), layersAtOnce, localLayer);
}
