/**
 * The interface of build caches: what the rest of the program sees of them, whatever their format and place.
 */
import type { KeyFile } from "../openpgp/keyFile.ts";
import type { RegistrySettings } from "../registry/registrySettings.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import type { Dialect } from "../spec/dialect.ts";
import type { StoreSource } from "../store/store.ts";
import type { Digest } from "../util/digest.ts";

/** One configured cache. */
export interface CacheSource extends StoreSource {
  /** The directory that holds `build_cache/` or `v3/`; `oci://…` of a repository in a registry. */
  readonly url: string;
  /** Files of OpenPGP public keys, any of which may sign. They are read at the edge, not here. */
  readonly keys: readonly KeyFile[];
  /** True when the configuration says that this cache has no signatures. Never guessed. */
  readonly unsigned: boolean;
  /** What is configured of the registry, for caches in one; undefined: the machine's own credentials. */
  readonly registry?: Omit<RegistrySettings, "url"> | undefined;
  /** True for a cache that is still to be filled: that there is nothing where it is, is no error. */
  readonly mayBeEmpty?: boolean;
  /** True for a cache that is asked for packages that are chosen already: its index is not read. */
  readonly hashOnly?: boolean;
}

/** Formats of caches: layouts 1 and 2 of Spack up to 0.23, layout 3 of Spack 1.0 and later, repositories of a registry. */
export type FormatName = "v2" | "v3" | "oci";

/**
 * A package found in a cache, its metadata fetched and verified: signature by a trusted key (unless the cache is
 * `unsigned`), and the spec file is that of the hash asked for.
 */
export interface CachedPackage {
  readonly spec: ConcreteSpec;
  /** The package that the archive is of: another one than `spec` where that is spliced. */
  readonly built: ConcreteSpec;
  /** Closure of the spec file (dependencies as Spack stored them). */
  readonly graph: SpecGraph;
  /** SHA-256 of the archive, from the signed metadata. */
  readonly digest: Digest;
  /** Bytes of the archive; undefined where the format does not say (v2) and it is not known yet. */
  readonly size: number | undefined;
  /** The format of the cache it is in. */
  readonly format: FormatName;
  /** The generation of Spack that made the archive, wherever it is kept now. */
  readonly generation: Dialect;
  /** The cache, for messages. */
  readonly cacheUrl: string;
  /** The cache, to find it again: its URL, and the server where that does not say which. */
  readonly cacheId: string;
  /** Where the archive is, for messages. */
  readonly archiveUrl: string;
  /** Where the archive is in the cache, as its format names it. */
  readonly archivePath: string;
  /** Fingerprint of the primary key that signed; undefined for unsigned caches. */
  readonly signedBy: string | undefined;
}

/** What a cache's index says. The index is not signed: it is a hint where to look, never a proof of anything. */
export interface CacheIndex {
  /** The generation of the spec language that its specs are written in; undefined for an empty index. */
  readonly generation: Dialect | undefined;
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
