/** An image into a repository: what is not there yet, by the cheapest way there is. */
import type { AnyLayer, Image } from "../image/image.ts";
import { type BlobSource, bytesBlob, fileBlob } from "../registry/blobSource.ts";
import { readBlob } from "../registry/blobs.ts";
import { putManifest } from "../registry/manifests.ts";
import { type PushOutcome, pushBlob } from "../registry/pushBlob.ts";
import { formatRepository, parseRepository } from "../registry/reference.ts";
import type { Repository } from "../registry/registry.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";

/** Layers under way at a time. */
const layersAtOnce = 4;

/** How a layer came to be in the repository: `referenced` was known to be there and not asked for. */
export type LayerOutcome = PushOutcome | "referenced";

/** What pushing an image took. */
export interface PushedImage {
  /** A layer each, from bottom to top. */
  readonly layers: readonly LayerOutcome[];
  /** Bytes of layers that were sent. */
  readonly bytesSent: number;
}

/** How to push. */
export interface PushImageOptions {
  /** Opens another repository, of any registry, that has a layer which this one lacks. */
  open(repository: string): Promise<Repository>;
  readonly signal: AbortSignal;
}

/**
 * Pushes layers, configuration and manifest; the image can then be had by the manifest's digest. No tag is moved.
 *
 * @throws SpacktainersError of the registries; what was pushed until then stays and need not be sent again
 */
export async function pushImage(
  repository: Repository,
  image: Image<AnyLayer>,
  options: PushImageOptions,
): Promise<PushedImage> {
  const here = formatRepository(repository);
  const layers = await mapConcurrently(image.layers, layersAtOnce, async (layer): Promise<LayerOutcome> => {
    options.signal.throwIfAborted();
    // A manifest that the registry has names it there: registries keep what their manifests name.
    if (!("path" in layer) && layer.origin === here) return "referenced";
    const mountFrom = layer.origin === undefined ? undefined : parseRepository(layer.origin);
    return pushBlob(repository, await source(layer, options), {
      ...(mountFrom?.host === repository.host ? { mountFrom } : {}),
    });
  });
  await pushBlob(repository, bytesBlob(image.config.bytes, "the image's configuration"));
  const { bytes, descriptor } = image.manifest;
  await putManifest(repository, descriptor.digest, bytes, descriptor.mediaType);
  const bytesSent = image.layers.reduce(
    (sum, layer, index) => sum + (layers[index] === "uploaded" ? layer.size : 0),
    0,
  );
  return { layers, bytesSent };
}

async function source(layer: AnyLayer, options: PushImageOptions): Promise<BlobSource> {
  const { digest, size } = layer;
  const label = layer.createdBy.replace(/^spacktainers: /, "").slice(0, 60);
  if ("path" in layer) return fileBlob(layer.path, { digest, size, label });
  const repository = await options.open(layer.origin);
  return { digest, size, label, open: (offset) => skipping(readBlob(repository, { digest, size }), offset) };
}

/** What comes after the first bytes: a blob that is passed on is read from its beginning, so that all of it is verified. */
async function* skipping(
  chunks: AsyncIterable<Uint8Array>,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let ahead = offset;
  for await (const chunk of chunks) {
    const part = chunk.subarray(Math.min(ahead, chunk.length));
    ahead -= chunk.length - part.length;
    if (part.length > 0) yield part;
  }
}
