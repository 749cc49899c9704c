/**
 * Writing into a build cache, whatever its format and place. One mechanism for all: what is new is complete before anything names
 * it (archives, then the file that announces the package, then the index), and what goes is named by nothing before it goes.
 */
import type { DagHash } from "../../spec/concrete.ts";
import type { Digest } from "../../util/digest.ts";
import type { CacheKey } from "../cacheKeys.ts";
import type { FormatName } from "../types.ts";
import type { IdentifiedSpec } from "./verifiedMetadata.ts";

/** A package on its way into a cache. */
export interface NewPackage {
  /** Its spec file: the JSON that a cache keeps of it, with `spec` (see `BuildCache.contentOf`). */
  readonly specFile: string;
  /** The same as a cache in layout v3 keeps it (gzip): taken as it is where it will do, so that copies are the same bytes. */
  readonly specBlob: Uint8Array | undefined;
  /** A file of this machine; digest and size in bytes are those of the file, and are checked on the way. */
  readonly archive: { readonly path: string; readonly digest: Digest; readonly size: number };
}

/** What became of a package. */
export interface PutPackage {
  /** `present`: a copy that will do was there already, and nothing was changed. */
  readonly outcome: "written" | "present";
  readonly format: FormatName;
}

/** How to put a package. */
export interface PutPackageOptions {
  /** Replaces a copy that is there. Default: one that is there and can be read stays. */
  readonly replace?: boolean | undefined;
  /** Told the bytes that arrived since the last call. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A package that a cache has, by the file (or tag) that announces it. Not verified. */
export interface StoredPackage {
  readonly format: FormatName;
  readonly hash: DagHash;
  /** As the format names it. */
  readonly path: string;
  /** When it was written, in milliseconds since 1970; undefined where the place does not say. */
  readonly modified: number | undefined;
}

/** What a cache says of a package that it has, verified as far as the cache's own trust asks for it. */
export interface DescribedPackage {
  readonly spec: IdentifiedSpec["root"];
  readonly graph: IdentifiedSpec["graph"];
  readonly archive: {
    readonly path: string;
    readonly digest: Digest;
    /** Bytes; undefined where the cache does not have it. */
    readonly size: number | undefined;
  };
  readonly signedBy: string | undefined;
}

/** A change of an index. */
export interface IndexChange {
  /** Spec files of packages that are in the cache now (see {@link NewPackage.specFile}). */
  readonly add: readonly string[];
  /** Packages that are no longer to be found. What others depend on stays as a dependency that cannot be downloaded. */
  readonly remove: readonly DagHash[];
}

/** What became of the indexes of a cache. */
export interface IndexUpdate {
  /** For each format that was examined. */
  readonly indexes: readonly {
    readonly format: FormatName;
    /** Packages that can be downloaded, and how many of them were not listed, or were listed and are not there, before. */
    readonly packages: number;
    readonly added: number;
    readonly removed: number;
  }[];
}

/** Something in a cache that nothing names: rests of killed pushes, replaced indexes. */
export interface Orphan {
  readonly format: FormatName;
  readonly path: string;
  readonly size: number | undefined;
  /** Milliseconds since 1970; undefined where the place does not say. */
  readonly modified: number | undefined;
}

/**
 * Writes into a cache. Several may write at a time, on several machines: nothing is lost, and readers see old or new, never half.
 * Errors are those of the store or registry: ACCESS_DENIED, NETWORK, IO, REGISTRY_REFUSED, each with its place.
 */
export interface CacheWriter {
  /** Without credentials. */
  readonly url: string;
  /** As `BuildCache.id`. */
  readonly id: string;
  /** Fingerprint of the key that signs; undefined where nothing is signed. */
  readonly signedBy: string | undefined;
  /**
   * Tries whether the cache could be written, before work is done for it: nothing stays behind.
   *
   * @throws ACCESS_DENIED, NOT_FOUND, NETWORK, IO, REGISTRY_REFUSED
   */
  expectWritable(): Promise<void>;
  /**
   * Puts a package: its archive, then what announces it. The index is not touched. Layout v3 takes packages of Spack 1.x and (their
   * nodes converted, as Spack's own `migrate` does) of 0.x; v2 those of 0.x only. Where the cache's layout is not settled, it is v2
   * for packages of 0.x and v3 for others.
   *
   * @throws NOT_SUPPORTED for a package that the layout cannot hold, and for an external one, which has no archive;
   *   CHECKSUM_MISMATCH when the archive is not what was said; KEY_INVALID when the key cannot sign; KEY_UNKNOWN when the cache's
   *   own `trust` does not name the key
   */
  put(content: NewPackage, options?: PutPackageOptions): Promise<PutPackage>;
  /** Publishes a public key and lists it. `present`: it was there. A registry cannot: NOT_SUPPORTED. */
  putKey(key: CacheKey & { readonly armored: string }): Promise<"written" | "present">;
  /** Removes a public key and its entry in the list of keys; one that is not there is no error. */
  removeKey(fingerprint: string): Promise<void>;
  /**
   * Changes the index, and no more of it than requested. Without one, it is made of everything that the cache has. What another
   * writer changes at the same time is kept.
   *
   * @throws CACHE_INVALID when the index that is there cannot be read (then: {@link rebuildIndex})
   */
  updateIndex(change: IndexChange): Promise<IndexUpdate>;
  /** Makes the indexes from what the cache has, for every format that is there. Packages that cannot be read are left out, with a warning. */
  rebuildIndex(): Promise<IndexUpdate>;
  /** All packages that the cache has, whatever its index says. Throws NOT_SUPPORTED for a place that cannot be listed. */
  list(): AsyncIterable<StoredPackage>;
  /** What the cache says of a package. Throws as `CacheFormat.findMetadata`; NOT_FOUND when it is gone. */
  describe(stored: StoredPackage): Promise<DescribedPackage>;
  /**
   * Removes packages: from the index first, then what announces them, then archives and spec files that no other package of the
   * cache names. One that is gone is no error.
   *
   * @returns bytes that were freed, as far as the place says
   */
  remove(packages: readonly StoredPackage[]): Promise<{ readonly bytes: number }>;
  /**
   * What nothing names. A push puts archives before what names them: what is young may be one that is under way. Registries remove
   * such things by themselves: nothing is found there.
   */
  orphans(): AsyncIterable<Orphan>;
  /** Removes orphans; one that something names by now stays. */
  removeOrphans(orphans: readonly Orphan[]): Promise<{ readonly bytes: number }>;
  close(): Promise<void>;
}
