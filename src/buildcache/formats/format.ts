/**
 * A format of build caches, opened where a cache is: how its files are called, what is signed, where the digests are. The rest
 * of a cache (what is remembered, downloads, the index in a form for look-ups) is the same for all formats.
 */
import type { FileSource } from "../../store/store.ts";
import type { Digest } from "../../util/digest.ts";
import type { Place } from "../../util/errors.ts";
import type { CacheKey } from "../cacheKeys.ts";
import type { FormatName } from "../types.ts";
import type { DependencyLookup, PackageId } from "./packageId.ts";
import type { VerifiedMetadata } from "./verifiedMetadata.ts";

export interface CacheFormat {
  readonly name: FormatName;
  /** Where archives and indexes are had from, by the paths that metadata and {@link IndexOffer} name. */
  readonly files: FileSource;
  /** Whether the cache has this format; undefined where nobody can tell. */
  isPresent(): Promise<boolean | undefined>;
  /**
   * The metadata of a package, verified; undefined when the cache does not have it.
   *
   * @param lookup finds the spec's dependencies
   * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, IDENTITY_MISMATCH, CHECKSUM_MISMATCH,
   *   CACHE_INVALID, NOT_SUPPORTED, NETWORK, ACCESS_DENIED
   */
  findMetadata(asked: PackageId, lookup: DependencyLookup): Promise<VerifiedMetadata | undefined>;
  /** Whether the cache still has the very metadata that was verified earlier. Throws NETWORK, ACCESS_DENIED. */
  isUnchanged(known: VerifiedMetadata): Promise<boolean>;
  /** The file that announces the index. */
  readonly indexPlace: Place;
  /**
   * Where the index can be fetched; undefined when there is none.
   *
   * @param known what was fetched last
   * @throws NETWORK, ACCESS_DENIED; CACHE_INVALID, NOT_SUPPORTED when what announces it is no such thing
   */
  findIndex(known: KnownIndex | undefined): Promise<IndexOffer | "unchanged" | undefined>;
  /** The keys that the cache publishes. Throws CACHE_INVALID, CHECKSUM_MISMATCH, NETWORK, ACCESS_DENIED. */
  listKeys(): Promise<readonly CacheKey[]>;
}

/** The index that was fetched last. */
export interface KnownIndex {
  /** Version of the file that announces the index. */
  readonly version: string | undefined;
  /** SHA-256 of the index. */
  readonly digest: Digest;
}

/** Where an index can be fetched. */
export interface IndexOffer {
  /** Of {@link CacheFormat.files}. */
  readonly path: string;
  /** As {@link KnownIndex.version}. */
  readonly version: string | undefined;
  /** Undefined where it is not known before the index is. */
  readonly digest: Digest | undefined;
  /** Bytes. */
  readonly size: number | undefined;
}
