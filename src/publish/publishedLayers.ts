/**
 * Layers that images in a registry have already: a build refers to them in place of making them.
 *
 * Our manifests say by annotations which fragments a layer consists of (their keys decide its bytes) and which record tells
 * what is in it. Whoever may push to the registry can write such annotations, as he can push any image: what is reused is
 * trusted as far as the repository is.
 */
import type { Inventory } from "../archive/inventory.ts";
import type { Descriptor } from "../archive/oci/types.ts";
import { baseOfRecord } from "../base/baseRecord.ts";
import type { Base, BasesElsewhere, RemoteBaseLayer } from "../base/types.ts";
import {
  baseKeyAnnotation,
  completionAnnotation,
  layerContentsAnnotation,
  layerKeysAnnotation,
} from "../image/annotations.ts";
import type { RemoteLayer } from "../image/image.ts";
import { formatRepository } from "../registry/reference.ts";
import type { Digest } from "../util/digest.ts";
import { asSpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import type { ContentsSource } from "./contentsArtifact.ts";
import { contentsLimits, decodeBase, decodeInventories, parseContentsId } from "./layerContents.ts";
import { type PublishedImage, readBlobBytes } from "./publishedImage.ts";

/** A layer of packages in a registry. */
export interface PublishedLayer
  extends Pick<RemoteLayer, "digest" | "size" | "diffId" | "mediaType" | "origin"> {
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
export function openPublishedLayers(images: readonly PublishedImage[], emit: EmitEvent): PublishedLayers {
  const byKeys = new Map<string, Place>();
  const byBase = new Map<string, PublishedImage>();
  const completions = new Map<string, readonly string[]>();
  for (const image of images) {
    for (const [index, layer] of image.manifest.layers.entries()) {
      const keys = layer.annotations?.[layerKeysAnnotation];
      if (keys !== undefined && !byKeys.has(keys)) byKeys.set(keys, { image, layer, index });
    }
    const base = image.manifest.layers[0]?.annotations?.[baseKeyAnnotation];
    if (base !== undefined && !byBase.has(base)) byBase.set(base, image);
    const [key, ...libraries] = image.manifest.annotations?.[completionAnnotation]?.split(" ") ?? [];
    if (key !== undefined) completions.set(key, libraries);
  }

  /** Runs a reading of records; what goes wrong with them costs only the reuse. */
  async function readable<T>(
    image: PublishedImage,
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
      const diffId = (await found.image.config()).rootfs.diff_ids[found.index];
      if (diffId === undefined) return undefined;
      const { digest, size, mediaType } = found.layer;
      const origin = formatRepository(found.image.repository);
      const inventories = await decodeInventories(bytes, keys.length, { url: origin });
      return { digest, size, mediaType, diffId, origin, inventories, contents: record };
    });
  }

  async function find(key: Digest): Promise<Base<RemoteBaseLayer> | undefined> {
    const image = byBase.get(key);
    const [layer] = image?.manifest.layers ?? [];
    if (image === undefined || layer === undefined) return undefined;
    return readable(image, async () => {
      const origin = formatRepository(image.repository);
      const { bytes } = (await recordOf({ image, layer, index: 0 })?.load()) ?? {};
      if (bytes === undefined) return undefined;
      const record = await decodeBase(bytes, { url: origin });
      // The record must speak of the layers that are there.
      const same = record.layers.every(({ digest, size }, index) => {
        const there = image.manifest.layers[index];
        return there?.digest === digest && there.size === size;
      });
      if (!same) return undefined;
      return baseOfRecord(
        record,
        key,
        record.layers.map((one) => ({ ...one, origin })),
      );
    });
  }

  function baseContents(key: Digest): ContentsSource | undefined {
    const image = byBase.get(key);
    const [layer] = image?.manifest.layers ?? [];
    return image === undefined || layer === undefined ? undefined : recordOf({ image, layer, index: 0 });
  }

  return { findLayer, find, baseContents, completion: (key) => completions.get(key) };
}

/** A layer in an image. */
interface Place {
  readonly image: PublishedImage;
  readonly layer: Descriptor;
  readonly index: number;
}

/** The record of what is in a layer, where its manifest names one. */
function recordOf({ image, layer }: Place): ContentsSource | undefined {
  const id = parseContentsId(layer.annotations?.[layerContentsAnnotation]);
  if (id === undefined) return undefined;
  return {
    ...id,
    async load() {
      return { ...id, bytes: await readBlobBytes(image.repository, id, contentsLimits.compressed) };
    },
  };
}
