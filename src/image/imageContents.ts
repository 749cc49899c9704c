import type { ImageConfig } from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";

/** A layer of an image, wherever it is. */
export interface SourceLayer {
  /** For messages: a path or a digest. */
  readonly name: string;
  /** Bytes as they are stored, when known. */
  readonly size?: number;
  /** Of the bytes as they are stored; compared when they are read. */
  readonly digest?: Digest;
  /** Of the uncompressed tar; compared when there is no `digest`. */
  readonly diffId?: Digest;
  /** The file that is the layer, when it is one by itself. */
  readonly path?: string;
  /** Opens the layer at its beginning: a tar, compressed or not. It is read twice. */
  open(): AsyncIterable<Uint8Array>;
}

/** An image as far as a SIF is made of it. Whoever can give this - a layout, an archive, a registry - can be converted. */
export interface ImageContents {
  readonly config: ImageConfig;
  /** The configuration byte for byte. */
  readonly configBytes: Uint8Array;
  /** From bottom to top. */
  readonly layers: readonly SourceLayer[];
  /** How it is run is said by scripts in its layers (it is an Apptainer image, or empty), not by its configuration. */
  readonly hasOwnScripts?: boolean;
}

/** Where an image came from, in the words of a definition file's header. */
export interface ImageOrigin {
  readonly bootstrap: string;
  /** Names the image by its digest where it can be, never by a path of this machine. */
  readonly from: string;
}

/** An image and where it came from. */
export interface SourceImage extends ImageContents {
  readonly origin: ImageOrigin;
}

/** An image that was opened; `close` removes what had to be written for it. */
export interface OpenImage extends SourceImage {
  /**
   * Digest of everything that decides its files, where the configuration does not name the layers by theirs: of a SIF or
   * squashfs file, which is read for it. Absent where there is none: a directory can change at any time.
   */
  contentDigest?(): Promise<Digest>;
  close(): Promise<void>;
}
