/** An image into a repository: what is not there yet, by the cheapest way there is. */
import { readExtent } from "../image/fileExtent.ts";
import type { OciImage } from "../image/image.ts";
import type { OciLayer } from "../image/layer.ts";
import { type BlobSource, bytesBlob } from "../registry/blobSource.ts";
import { putManifest } from "../registry/manifests.ts";
import { type BlobOutcome, pushBlob } from "../registry/pushBlob.ts";
import { formatRepository, parseRepository } from "../registry/reference.ts";
import type { ImageRepository } from "../registry/registry.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";

/** Layers under way at a time. */
const layersAtOnce = 4;

/** How a layer came to be in the repository: `referenced` was known to be there and not asked for. */
export type LayerOutcome = BlobOutcome | "referenced";

/** What pushing an image took. */
export interface PushedImage {
  /** A layer each, from bottom to top. */
  readonly layers: readonly LayerOutcome[];
  /** Bytes of layers that were sent. */
  readonly bytesSent: number;
}

/**
 * Pushes layers, configuration and manifest; the image can then be had by the manifest's digest. No tag is moved.
 *
 * @throws SpacktainersError of the registries; what was pushed until then stays and need not be sent again
 */
export async function pushLayersAndManifest(
  repository: ImageRepository,
  image: OciImage,
  signal: AbortSignal,
): Promise<PushedImage> {
  const here = formatRepository(repository);
  const all = await image.layers();
  const layers = await mapConcurrently(all, layersAtOnce, async (layer): Promise<LayerOutcome> => {
    signal.throwIfAborted();
    const { extent, origin } = layer;
    // A manifest that the registry has names it there: registries keep what their manifests name.
    if (extent === undefined && origin === here) return "referenced";
    const mountFrom = origin === undefined ? undefined : parseRepository(origin);
    return pushBlob(repository, blobOf(layer), mountFrom?.host === repository.host ? { mountFrom } : {});
  });
  const config = await image.config();
  await pushBlob(repository, bytesBlob(config.bytes, "the image's configuration"));
  const { bytes, descriptor } = image.manifest;
  await putManifest(repository, descriptor.digest, bytes, descriptor.mediaType);
  const bytesSent = all.reduce((sum, { size }, index) => sum + (layers[index] === "uploaded" ? size : 0), 0);
  return { layers, bytesSent };
}

/** A layer as a blob on its way: read from its file at any offset, else passed on from the registry that has it. */
function blobOf(layer: OciLayer): BlobSource {
  const { digest, size, extent } = layer;
  return {
    digest,
    size,
    label: layer.createdBy.replace(/^spacktainers: /, "").slice(0, 60),
    open: (offset) => (extent === undefined ? skipping(layer.blob(), offset) : readExtent(extent, offset)),
  };
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
