import { compressionSettings } from "../archive/layerCompression.ts";
import { type ImageConfig, type ImageManifest, mediaTypes } from "../archive/oci/types.ts";
import { type EncodedDocument, encode } from "./encodedDocument.ts";
import type { FragmentStore } from "./fragmentStore.ts";
import { type Image, isOciImage, type OciImage } from "./image.ts";
import type { OciLayer } from "./layer.ts";
import { storedLayer } from "./storedLayer.ts";

/**
 * An image with a manifest, for those that know nothing else: the image itself where it has one. Of a Docker archive the
 * configuration stays as it is; of a SIF or squashfs file or a directory it names the one layer. Layers that are no files of
 * their own yet are kept in the store.
 *
 * @returns an image that is closed with the one given
 * @throws SpacktainersError of reading the image; DISK_FULL and other errors of the system
 */
export async function ociImageOf(image: Image, store: FragmentStore): Promise<OciImage> {
  if (isOciImage(image)) return image;
  const source = await image.layers();
  // One layer without a digest is what decides the image.
  const identity = source.length === 1 ? await image.contentDigest() : undefined;
  const layers: OciLayer[] = [];
  for (const layer of source)
    layers.push(
      await storedLayer(layer, store, { compression: compressionSettings("gzip"), createdBy: "", identity }),
    );
  const config = named(await image.config(), layers);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: config.descriptor,
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  return {
    ...image,
    manifest: encode(manifest, mediaTypes.manifest),
    config: () => Promise.resolve(config),
    layers: () => Promise.resolve(layers),
    attachedDocuments: () => Promise.resolve([]),
  };
}

/** The configuration, which names the layers. */
function named(
  config: EncodedDocument<ImageConfig>,
  layers: readonly OciLayer[],
): EncodedDocument<ImageConfig> {
  const diffIds = layers.map(({ diffId }) => diffId);
  const { rootfs } = config.value;
  if (rootfs.diff_ids.join() === diffIds.join())
    return { ...config, descriptor: { ...config.descriptor, mediaType: mediaTypes.config } };
  return encode({ ...config.value, rootfs: { type: "layers", diff_ids: diffIds } }, mediaTypes.config);
}
