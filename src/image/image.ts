/** The one interface to an image, in whatever form it is: see {@link Image}. */
import type { Descriptor, ImageConfig, ImageManifest, Platform } from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import type { Place } from "../util/errors.ts";
import type { EncodedDocument } from "./encodedDocument.ts";
import type { Layer, OciLayer } from "./layer.ts";

/**
 * An image. An OCI layout, an archive, a registry, a SIF or squashfs file, an unpacked directory, and an image that was
 * just assembled are all read through this interface; whoever uses an image need not know which it is.
 *
 * Opening reads no more than what finds the image. The configuration is read when it is first asked for, a layer when it is
 * first read; both are compared with the digests that name them.
 */
export interface Image {
  /** Where it is, for messages. */
  readonly place: Place;
  /** Where it came from, in the words of a definition file. */
  readonly origin: ImageOrigin;
  /** Its name in a registry, by digest (`docker://HOST/PATH@sha256:…`), of an image that is read from one. */
  readonly reference: string | undefined;
  /** Undefined for forms without one: Docker's archives, SIF and squashfs files, directories. */
  readonly manifest: EncodedDocument<ImageManifest> | undefined;
  /** Scripts in its files say how it is started, not its configuration: it is an Apptainer image, or empty. */
  readonly hasOwnScripts: boolean;
  /** The file or directory, where Apptainer can start it as it is: a SIF or squashfs file, an unpacked image. */
  readonly apptainerPath: string | undefined;
  /**
   * Its configuration.
   * @throws SpacktainersError NOT_FOUND when the image is for another platform than the one asked for; NOT_SUPPORTED when it
   *   is no image of layers that can be read; ARCHIVE_INVALID, CHECKSUM_MISMATCH; of the registry
   */
  config(): Promise<EncodedDocument<ImageConfig>>;
  /** From bottom to top. @throws SpacktainersError as {@link Image.config}; NOT_FOUND for a layer that is not there */
  layers(): Promise<readonly Layer[]>;
  /**
   * A digest that decides its files: of the configuration, which names the layers by what they contain, or of a SIF or
   * squashfs file's content, which is then read. One image has the same in a layout, an archive and a registry. Undefined
   * where nothing decides them: a directory can change at any time.
   */
  contentDigest(): Promise<Digest | undefined>;
  /** Releases what was opened, and removes what had to be written, to read it. Nothing of it can be read afterwards. */
  close(): Promise<void>;
}

/** An image with a manifest: in a layout, an OCI archive or a registry, or assembled here. */
export interface OciImage extends Image {
  readonly manifest: EncodedDocument<ImageManifest>;
  layers(): Promise<readonly OciLayer[]>;
  /**
   * Documents that a build left beside the image (`descriptionAnnotation` of the index), compared with their digests; empty where
   * the form has no place for them. They may be about other images of the same layout.
   *
   * @param maxBytes larger ones are left out
   * @throws SpacktainersError CHECKSUM_MISMATCH when one was changed
   */
  attachedDocuments(maxBytes: number): Promise<readonly AttachedDocument[]>;
}

/** Whether an image has a manifest. */
export function isOciImage(image: Image | OciImage): image is OciImage {
  return image.manifest !== undefined && "attachedDocuments" in image;
}

/** A document beside an image. */
export interface AttachedDocument {
  readonly bytes: Buffer;
  readonly place: Place;
}

/** Where an image came from, in the words of a definition file's header. */
export interface ImageOrigin {
  readonly bootstrap: string;
  /** Names the image by its digest where it can be, never by a path of this machine. */
  readonly from: string;
}

/** Which image of those that are at a place. */
export interface ImageQuery {
  /** In order of preference: the image for the first of them that there is one for. At least one. */
  readonly platforms: readonly Platform[];
  /**
   * In a layout the value of `org.opencontainers.image.ref.name`, in Docker's archives `name:tag`; undefined: there must be
   * only one image for the platform.
   */
  readonly reference: string | undefined;
}

/** The platform that an image's configuration is for. */
export function platformOfConfig({ architecture, os, variant }: ImageConfig): Platform {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}

/** Bytes of all that a manifest names, as they are stored. */
export function storedSize({ config, layers }: ImageManifest): number {
  return [config, ...layers].reduce((sum: number, { size }: Descriptor) => sum + size, 0);
}
