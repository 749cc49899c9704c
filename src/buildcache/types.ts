/**
 * The interface of build caches: what the rest of the program sees of them, whatever their layout and place.
 */
import type { KeyFile } from "../openpgp/keyFile.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import type { Digest } from "../util/digest.ts";

/** One configured cache. */
export interface CacheSource {
  /** `file:`, `http(s):` or `s3:` URL, or a path. The directory that holds `build_cache/` or `v3/`. */
  readonly url: string;
  /** Files of OpenPGP public keys, any of which may sign. They are read at the edge, not here. */
  readonly keys: readonly KeyFile[];
  /** True when the configuration says that this cache has no signatures. Never guessed. */
  readonly unsigned: boolean;
  /** S3 only. */
  readonly s3?: {
    readonly endpoint?: string;
    readonly region?: string;
    readonly profile?: string;
    readonly anonymous?: boolean;
  };
}

/** Spack generation of a cache: layout v2 (≤ 0.23) or v3 (≥ 1.0). */
export type CacheLayout = 2 | 3;

/**
 * A package found in a cache, its metadata fetched and verified: signature by a trusted key (unless the cache is
 * `unsigned`), and the spec file is that of the hash asked for.
 */
export interface CachedPackage {
  readonly spec: ConcreteSpec;
  /** Closure of the spec file (dependencies as Spack stored them). */
  readonly graph: SpecGraph;
  /** SHA-256 of the archive, from the signed metadata. */
  readonly digest: Digest;
  /** Bytes of the archive; undefined where the layout does not say (v2) and it is not known yet. */
  readonly size: number | undefined;
  readonly layout: CacheLayout;
  /** The cache, for messages. */
  readonly cacheUrl: string;
  /** Where the archive is, for messages. */
  readonly archiveUrl: string;
  /** Where the archive is below the cache's root. */
  readonly archivePath: string;
  /** Fingerprint of the primary key that signed; undefined for unsigned caches. */
  readonly signedBy: string | undefined;
}

/** What a cache's index says. The index is not signed: it is a hint where to look, never a proof of anything. */
export interface CacheIndex {
  readonly layout: CacheLayout;
  /** Number of downloadable specs. */
  readonly size: number;
  /** True if the index lists the hash as downloadable. Does not parse specs. */
  has(hash: DagHash): boolean;
  /** Hashes (downloadable or not) of all specs of a package name. */
  hashesOf(name: string): readonly DagHash[];
  /** Package names of which at least one spec is downloadable, sorted. */
  names(): readonly string[];
  /** Names of packages of which a spec is known to provide a virtual (from edges; spec v6: also from nodes). */
  providersOf(virtual: string): readonly string[];
  /** Hashes that start with a prefix (for `/abc` in specs). */
  hashesWithPrefix(prefix: string): readonly DagHash[];
  /** The spec as the index has it; parsed on demand. */
  spec(hash: DagHash): ConcreteSpec | undefined;
}
