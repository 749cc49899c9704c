/** What an OCI image layout (directory or archive) consists of, worked out before anything is written. */
import { type Descriptor, type ImageIndex, mediaTypes, referenceAnnotation } from "../archive/oci/types.ts";
import { type Digest, digestOf } from "../util/digest.ts";
import { factsAnnotation, madeByAnnotation } from "./annotations.ts";
import { encode, type Image } from "./image.ts";

/** A blob to be written: bytes in memory or a file. */
export interface BlobSource {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly from: { readonly bytes: Buffer } | { readonly path: string };
}

/** The content of a layout. */
export interface LayoutDocuments {
  /** The file `oci-layout`. */
  readonly marker: Buffer;
  /** The file `index.json`. */
  readonly index: Buffer;
  /** Every blob once, in a fixed order: indexes, manifests and configurations, then layers from bottom to top. */
  readonly blobs: readonly BlobSource[];
}

/** Content of the file `oci-layout`. */
export const layoutMarker = Buffer.from('{"imageLayoutVersion":"1.0.0"}', "utf8");

/** How an image is named in what is written. */
export interface ImageNaming {
  /** A tag such as `latest` or a whole name such as `example/hello:1.0`. */
  readonly reference?: string;
  /**
   * What is known of the images, a document each. They are blobs that no manifest names: readers of layouts take a second
   * manifest in the index for a second image. {@link factsAnnotation} of the index names them.
   */
  readonly facts?: readonly Buffer[];
}

/**
 * The documents of a layout that holds one image, or one image for several platforms (then an index joins them).
 * @param images one a platform, at least one
 */
export function layoutDocuments(images: readonly Image[], naming: ImageNaming): LayoutDocuments {
  const blobs = new Map<Digest, BlobSource>();
  const add = (blob: BlobSource): void => {
    if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
  };
  const manifests = images.map(
    (image): Descriptor => ({ ...image.manifest.descriptor, platform: image.platform }),
  );
  let top = manifests;
  if (images.length > 1) {
    const joint: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
    const { bytes, descriptor } = encode(joint, mediaTypes.index);
    add({ ...descriptor, from: { bytes } });
    top = [descriptor];
  }
  for (const image of images) {
    for (const { bytes, descriptor } of [image.manifest, image.config])
      add({ digest: descriptor.digest, size: descriptor.size, from: { bytes } });
  }
  for (const image of images) {
    for (const layer of image.layers)
      add({ digest: layer.digest, size: layer.size, from: { path: layer.path } });
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
      ...(facts.length === 0 ? {} : { [factsAnnotation]: facts.map(({ digest }) => digest).join(" ") }),
      [madeByAnnotation]: "spacktainers",
    },
  };
  return {
    marker: layoutMarker,
    index: encode(index, mediaTypes.index).bytes,
    blobs: [...blobs.values()],
  };
}
