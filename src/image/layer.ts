/** A layer of an image, wherever its bytes are. */
import type { Annotations } from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import type { Place } from "../util/errors.ts";

/** A layer: a tar that can be read as often as wanted. */
export interface Layer {
  /** Where it is, for messages. */
  readonly place: Place;
  /** Of the bytes as they are stored; undefined where nothing names them so (Docker's archives, SIF files, directories). */
  readonly digest: Digest | undefined;
  /** Bytes as they are stored; undefined where they are made when they are read. */
  readonly size: number | undefined;
  /** Of the uncompressed tar; undefined where nothing names it. */
  readonly diffId: Digest | undefined;
  /**
   * The bytes as they are stored: a tar, compressed or not. Compared with {@link Layer.digest}, where there is one: what was
   * yielded is right once the stream has ended without an error.
   *
   * @throws SpacktainersError CHECKSUM_MISMATCH; of the system and of the registry
   */
  blob(): AsyncIterable<Uint8Array>;
  /**
   * The uncompressed tar, compared with {@link Layer.digest} and {@link Layer.diffId}, as far as there are any: what was
   * yielded is right once the stream has ended without an error. Whoever finds it malformed throws that into the generator,
   * which then says whether the layer is damaged.
   *
   * @param onStored told of bytes as they are read, as they are stored
   * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID; of the system and of the registry
   */
  tar(onStored?: (bytes: number) => void): AsyncGenerator<Uint8Array, void, void>;
}

/** Bytes of layers as they are stored, all together; undefined where one does not say. */
export function bytesOfLayers(layers: readonly Pick<Layer, "size">[]): number | undefined {
  return layers.reduce<number | undefined>(
    (sum, { size }) => (sum === undefined || size === undefined ? undefined : sum + size),
    0,
  );
}

/** What an image's documents say of a layer. */
export interface LayerDescriptor {
  /** Of the bytes as they are stored. */
  readonly digest: Digest;
  /** Bytes as they are stored. */
  readonly size: number;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  readonly mediaType: string;
  /** The line of the image's history: what is in it. Empty where nothing says. */
  readonly createdBy: string;
  readonly annotations: Annotations | undefined;
}

/** A layer that a manifest describes. */
export interface OciLayer extends LayerDescriptor, Layer {
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  /** Its bytes on this machine; undefined: they are in a registry. */
  readonly extent: FileExtent | undefined;
  /** A repository that has it: `host/path`. Of a layer that is not on this machine, the one it is read from. */
  readonly origin: string | undefined;
  /**
   * Its bytes on this machine: where they are, or a copy that is fetched now and kept.
   * @throws SpacktainersError CHECKSUM_MISMATCH; of the registry
   */
  local(): Promise<FileExtent>;
}

/** A file, or a part of one. */
export interface FileExtent {
  readonly path: string;
  /** Where it begins, in bytes; 0: the file is nothing else. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}
