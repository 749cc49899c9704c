/**
 * Layers that images in a registry have already: a build refers to them in place of making them.
 *
 * Our manifests say by annotations which fragments a layer consists of (their keys decide its bytes) and which record tells
 * what is in it. Whoever may push to the registry can write such annotations, as he can push any image: what is reused is
 * trusted as far as the repository is.
 */
import type { Inventory } from "../archive/inventory.ts";
import { baseOfRecord } from "../base/baseRecord.ts";
import type { Base, BasesElsewhere } from "../base/types.ts";
import {
  baseKeyAnnotation,
  completionAnnotation,
  layerContentsAnnotation,
  layerKeysAnnotation,
} from "../image/annotations.ts";
import type { OciLayer } from "../image/layer.ts";
import type { RegistryImage } from "../image/openRegistryImage.ts";
import { readBlobBytes } from "../registry/blobs.ts";
import { formatRepository } from "../registry/reference.ts";
import type { Digest } from "../util/digest.ts";
import { asSpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import type { ContentsSource } from "./contentsArtifact.ts";
import { contentsLimits, decodeBase, decodeInventories, parseContentsId } from "./layerContents.ts";

/** A layer of packages in a registry. */
export interface PublishedLayer {
  readonly layer: OciLayer;
  /** What is in it, by the keys asked for, in their order. */
  readonly inventories: readonly Inventory[];
  /** The record that tells. */
  readonly contents: ContentsSource;
}

/** What images in a registry have. */
export interface PublishedLayers extends BasesElsewhere {
  /** The layer that consists of exactly these fragments, in this order. */
  findLayer(keys: readonly string[]): Promise<PublishedLayer | undefined>;
  /** The record of a base that {@link BasesElsewhere.find} gave. */
  baseContents(key: Digest): ContentsSource | undefined;
  /** The libraries with which a base was completed for packages; `key` stands for both. */
  completion(key: Digest): readonly string[] | undefined;
}

/**
 * Opens the layers of images. Nothing but their manifests was read yet; records are read when a layer is asked for. A record
 * that is missing or damaged is warned of, and the layer counts as not there.
 *
 * @param images the first one that has a layer counts
 */
export function openPublishedLayers(images: readonly RegistryImage[], emit: EmitEvent): PublishedLayers {
  const byKeys = new Map<string, Place>();
  const byBase = new Map<string, RegistryImage>();
  const completions = new Map<string, readonly string[]>();
  for (const image of images) {
    for (const [index, { annotations }] of image.manifest.value.layers.entries()) {
      const keys = annotations?.[layerKeysAnnotation];
      if (keys !== undefined && !byKeys.has(keys)) byKeys.set(keys, { image, index });
    }
    const base = image.manifest.value.layers[0]?.annotations?.[baseKeyAnnotation];
    if (base !== undefined && !byBase.has(base)) byBase.set(base, image);
    const [key, ...libraries] = image.manifest.value.annotations?.[completionAnnotation]?.split(" ") ?? [];
    if (key !== undefined) completions.set(key, libraries);
  }

  /** Runs a reading of records; what goes wrong with them costs only the reuse. */
  async function readable<T>(
    image: RegistryImage,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    try {
      return await read();
    } catch (thrown) {
      const { code, message } = asSpacktainersError(thrown);
      if (code === "INTERRUPTED") throw thrown;
      emit({
        type: "warning",
        code,
        message: `a layer of ${formatRepository(image.repository)} cannot be reused: ${message}`,
      });
      return undefined;
    }
  }

  async function findLayer(keys: readonly string[]): Promise<PublishedLayer | undefined> {
    const found = byKeys.get(keys.join(" "));
    if (found === undefined) return undefined;
    return readable(found.image, async () => {
      const record = recordOf(found);
      if (record === undefined) return undefined;
      const { bytes } = await record.load();
      const layer = (await found.image.layers())[found.index];
      if (layer === undefined) return undefined;
      const inventories = await decodeInventories(bytes, keys.length, layer.place);
      return { layer, inventories, contents: record };
    });
  }

  async function find(key: Digest): Promise<Base | undefined> {
    const image = byBase.get(key);
    const contents = baseContents(key);
    if (image === undefined || contents === undefined) return undefined;
    return readable(image, async () => {
      const { bytes } = await contents.load();
      const record = await decodeBase(bytes, image.place);
      const there = await image.layers();
      // The record must speak of the layers that are there.
      const layers = record.layers.flatMap(({ digest, size, diffId, inventory }, index) => {
        const layer = there[index];
        const isSame = layer?.digest === digest && layer.size === size && layer.diffId === diffId;
        return layer !== undefined && isSame ? [{ ...layer, inventory }] : [];
      });
      return layers.length === record.layers.length ? baseOfRecord(record, key, layers) : undefined;
    });
  }

  function baseContents(key: Digest): ContentsSource | undefined {
    const image = byBase.get(key);
    return image === undefined ? undefined : recordOf({ image, index: 0 });
  }

  return { findLayer, find, baseContents, completion: (key) => completions.get(key) };
}

/** A layer in an image. */
interface Place {
  readonly image: RegistryImage;
  readonly index: number;
}

/** The record of what is in a layer, where its manifest names one. */
function recordOf({ image, index }: Place): ContentsSource | undefined {
  const { annotations } = image.manifest.value.layers[index] ?? {};
  const id = parseContentsId(annotations?.[layerContentsAnnotation]);
  if (id === undefined) return undefined;
  return {
    ...id,
    async load() {
      return { ...id, bytes: await readBlobBytes(image.repository, id, contentsLimits.compressed) };
    },
  };
}
