/** What an OCI image layout (directory or archive) consists of, worked out before anything is written. */
import { type Descriptor, type ImageIndex, mediaTypes, referenceAnnotation } from "../archive/oci/types.ts";
import { type Digest, digestOf } from "../util/digest.ts";
import { descriptionAnnotation, madeByAnnotation } from "./annotations.ts";
import { encode } from "./encodedDocument.ts";
import { type OciImage, platformOfConfig } from "./image.ts";
import type { OciLayer } from "./layer.ts";

/** A blob to be written: bytes in memory, or a layer. */
export interface BlobToWrite {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly from: { readonly bytes: Buffer } | { readonly layer: OciLayer };
}

/** The content of a layout. */
export interface LayoutDocuments {
  /** The file `oci-layout`. */
  readonly marker: Buffer;
  /** The file `index.json`. */
  readonly index: Buffer;
  /** Every blob once, in a fixed order: indexes, manifests and configurations, then layers from bottom to top. */
  readonly blobs: readonly BlobToWrite[];
}

/** Content of the file `oci-layout`. */
export const layoutMarker = Buffer.from('{"imageLayoutVersion":"1.0.0"}', "utf8");

/** How an image is named in what is written. */
export interface ImageNaming {
  /** A tag such as `latest` or a whole name such as `example/hello:1.0`. */
  readonly reference?: string;
  /**
   * What is known of the images, a document each. They are blobs that no manifest names: readers of layouts take a second
   * manifest in the index for a second image. {@link descriptionAnnotation} of the index names them.
   */
  readonly facts?: readonly Buffer[];
}

/**
 * The documents of a layout that holds one image, or one image for several platforms (then an index joins them).
 * @param images one a platform, at least one
 */
export async function layoutDocuments(
  images: readonly OciImage[],
  naming: ImageNaming,
): Promise<LayoutDocuments> {
  const blobs = new Map<Digest, BlobToWrite>();
  const add = (blob: BlobToWrite): void => {
    if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
  };
  const read = await Promise.all(
    images.map(async ({ manifest, config, layers }) => ({
      manifest,
      config: await config(),
      layers: await layers(),
    })),
  );
  const manifests = read.map(
    ({ manifest, config }): Descriptor => ({
      ...manifest.descriptor,
      platform: platformOfConfig(config.value),
    }),
  );
  let top = manifests;
  if (images.length > 1) {
    const joint: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
    const { bytes, descriptor } = encode(joint, mediaTypes.index);
    add({ ...descriptor, from: { bytes } });
    top = [descriptor];
  }
  for (const { manifest, config } of read) {
    for (const { bytes, descriptor } of [manifest, config])
      add({ digest: descriptor.digest, size: descriptor.size, from: { bytes } });
  }
  for (const { layers } of read) {
    for (const layer of layers) add({ digest: layer.digest, size: layer.size, from: { layer } });
  }
  const facts = (naming.facts ?? []).map((bytes) => ({
    digest: digestOf(bytes),
    size: bytes.length,
    from: { bytes },
  }));
  for (const blob of facts) add(blob);
  const annotations =
    naming.reference === undefined ? {} : { annotations: { [referenceAnnotation]: naming.reference } };
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: top.map((descriptor) => ({ ...descriptor, ...annotations })),
    annotations: {
      ...(facts.length === 0 ? {} : { [descriptionAnnotation]: facts.map(({ digest }) => digest).join(" ") }),
      [madeByAnnotation]: "spacktainers",
    },
  };
  return {
    marker: layoutMarker,
    index: encode(index, mediaTypes.index).bytes,
    blobs: [...blobs.values()],
  };
}
