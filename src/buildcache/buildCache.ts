/** One build cache: what the rest of the program asks of it. */
import { open } from "node:fs/promises";
import { type RetryPolicy, TransientFailure, withRetries } from "../net/retry.ts";
import { openTrustedKeys, type TrustOptions } from "../openpgp/trustedKeys.ts";
import { briefSpec } from "../spec/concrete.ts";
import { generationOf } from "../spec/generation.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { once } from "../util/once.ts";
import { archivePrefix, headBytes } from "./archivePrefix.ts";
import { type ArchiveStore, type FetchedArchive, openArchiveStore } from "./archives.ts";
import { type CacheKey, mergeCacheKeys } from "./cacheKeys.ts";
import type { CacheFormat } from "./formats/format.ts";
import { type OpenedFormats, openFormats } from "./formats/openFormats.ts";
import type { DependencyLookup, PackageId } from "./formats/packageId.ts";
import { presentFormats } from "./formats/presentFormats.ts";
import { identifySpec, type VerifiedMetadata } from "./formats/verifiedMetadata.ts";
import type { NewPackage } from "./formats/writer.ts";
import { keptFormats, loadIndex } from "./index/loadIndex.ts";
import { openMetadataMemory, type RememberedMetadata, rememberedFolder } from "./metadataMemory.ts";
import type { CachedPackage, CacheIndex, CacheSource, FormatName } from "./types.ts";

export interface BuildCacheOptions {
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  /** Where to keep what can be made again; default {@link cacheHome}. */
  readonly cacheDir?: string | undefined;
  /** Ask the cache about every package even if what is remembered would do. */
  readonly refresh?: boolean;
  /** Further attempts after a passing failure, and the first pause in milliseconds. */
  readonly retries?: number;
  readonly retryDelayMs?: number;
  /** Tells whether what is remembered is still good; default {@link systemClock}. */
  readonly clock?: Clock;
}

/** Compressed spec files that are copied as they are, in bytes; they have some thousand. */
const largestSpecBlob = 2 ** 20;

/** What to do about signatures that are refused. */
const signatureHints: TrustOptions = {
  unknownHint:
    "if you trust its owner, add the public key to the cache's `trust` in spacktainers.yaml, or name it with --trust",
  invalidHint: "the file was changed after it was signed, or is damaged; push the package again",
};

export interface BuildCache {
  /** Without credentials. */
  readonly url: string;
  /** Tells caches apart that have the same URL on different servers. */
  readonly id: string;
  /** Formats the cache has, v3 first. Throws CACHE_UNAVAILABLE, CACHE_INVALID, NETWORK, ACCESS_DENIED. */
  formats(): Promise<readonly FormatName[]>;
  /** The cache's indexes, one a format, fetched or revalidated once a run; empty when it has none. */
  indexes(): Promise<readonly CacheIndex[]>;
  /**
   * The verified metadata of a package; undefined when the cache does not have it. Works without an index. What was
   * verified in an earlier run is used without asking while the archive it names is on this machine (in a `file:` cache:
   * while the file is unchanged); else the cache is asked whether it changed.
   *
   * @param lookup finds the spec's dependencies, for v2 with specs of version 5 and later
   * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, CHECKSUM_MISMATCH, IDENTITY_MISMATCH,
   *   CACHE_INVALID, NOT_SUPPORTED, NETWORK, ACCESS_DENIED
   */
  findPackage(spec: PackageId, lookup?: DependencyLookup): Promise<CachedPackage | undefined>;
  /** The archive, verified, on this machine. Throws CHECKSUM_MISMATCH, NOT_FOUND, NETWORK, ACCESS_DENIED, DISK_FULL. */
  fetchArchive(pkg: CachedPackage): Promise<FetchedArchive>;
  /** The archive's first bytes, without downloading the rest. Not verified. */
  fetchArchiveHead(pkg: CachedPackage, bytes: number): Promise<Uint8Array>;
  /** The prefix the package was built for, as far as the archive's first bytes say; remembered. A hint, not verified. */
  archivePrefix(pkg: CachedPackage): Promise<string | undefined>;
  /**
   * Bytes of the archive: of the metadata, else as the cache says when asked (v2), which is remembered; undefined when
   * it does not say. A hint, not verified.
   *
   * @throws NETWORK, ACCESS_DENIED
   */
  archiveSize(pkg: CachedPackage): Promise<number | undefined>;
  /**
   * What another cache needs to have the package, too: its spec file, and the archive, on this machine and verified.
   *
   * @throws as {@link findPackage} and {@link fetchArchive}; NOT_FOUND when the cache does not have it any more
   */
  contentOf(pkg: CachedPackage): Promise<NewPackage>;
  /** Whether the archive is on this machine: downloaded before, or in a `file:` cache. Asks nobody. */
  hasLocalArchive(pkg: CachedPackage): Promise<boolean>;
  /** Keys that the cache itself publishes: a suggestion, trusted by nobody. */
  keys(): Promise<readonly CacheKey[]>;
  close(): Promise<void>;
}

/**
 * Opens a build cache. Nothing is asked of it before it is needed.
 *
 * @param archives the download store, shared by all caches
 * @throws NOT_SUPPORTED, CACHE_UNAVAILABLE for an invalid URL
 */
export function openBuildCache(
  source: CacheSource,
  options: BuildCacheOptions,
  archives?: ArchiveStore,
): BuildCache {
  const cacheDir = options.cacheDir ?? cacheHome();
  const { emit, signal, clock = systemClock } = options;
  const trust = {
    keys: openTrustedKeys(source.keys, { ...signatureHints, clock }),
    unsigned: source.unsigned,
  };
  const policy: RetryPolicy = { retries: 2, delayMs: options.retryDelayMs ?? 1000, emit, signal };
  const { retries, retryDelayMs } = options;
  const opened = openFormats(source, trust, { emit, signal, retries, retryDelayMs }, policy);
  const { url } = opened;
  const folder = rememberedFolder(cacheDir, opened.id);
  const memory = openMetadataMemory(folder, `${trust.keys.id}${trust.unsigned ? "-unsigned" : ""}`, clock);
  const downloads = archives ?? openArchiveStore(cacheDir, emit, clock);

  const formats = once(() => presentFormats(opened));
  let loaded: readonly CacheIndex[] = [];
  const indexes = once(async () => {
    const found: CacheIndex[] = [];
    // Unreachable: the copies of an earlier run will do; `loadIndex` says so.
    const known = await formats().catch((error: unknown) => {
      if (error instanceof SpacktainersError && error.code === "NETWORK")
        return keptFormats(opened.formats, folder, error);
      throw error;
    });
    for (const format of known) {
      const index = await loadIndex(format, { emit, folder, url });
      if (index !== undefined) found.push(index);
    }
    loaded = found;
    return found;
  });

  async function fetchMetadata(
    spec: PackageId,
    lookup: DependencyLookup,
  ): Promise<VerifiedMetadata | undefined> {
    for (const format of await formats()) {
      const found = await format.findMetadata(spec, lookup);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  function formatOf({ format: name }: { readonly format: FormatName }): CacheFormat {
    const format = opened.formats.find((one) => one.name === name);
    if (format === undefined)
      throw new SpacktainersError("INTERNAL", `${url} has no format ${name}`, { place: { url } });
    return format;
  }

  /** What is remembered, if it may still be used. */
  async function remembered(spec: PackageId): Promise<RememberedMetadata | undefined> {
    const known = await memory.find(spec.hash);
    const format = opened.formats.find(({ name }) => name === known?.format);
    if (known === undefined || format === undefined) return undefined;
    const { files } = format;
    // Asking for a file on this machine costs nothing.
    const near = files.localFile(known.path) !== undefined;
    if (!near && !options.refresh && (await downloads.find(files, known)) !== undefined) return known;
    try {
      return (await format.isUnchanged(known)) ? known : undefined;
    } catch (thrown) {
      // Unreachable: what was verified once is still true; the archive will tell whether it can be had.
      if (thrown instanceof SpacktainersError && thrown.code === "NETWORK") return known;
      throw thrown;
    }
  }

  async function find(spec: PackageId, lookup: DependencyLookup): Promise<CachedPackage | undefined> {
    const known = await remembered(spec);
    if (known !== undefined) return packageOf(opened, formatOf(known), spec, known);
    const fetched = await withRetries(policy, url, async () => {
      const found = await fetchMetadata(spec, lookup);
      if (found === undefined && loaded.some((index) => index.has(spec.hash)))
        throw new TransientFailure(listedOnly(url, spec));
      return found;
    });
    if (fetched === undefined) {
      await memory.forget(spec.hash);
      return undefined;
    }
    await memory.keep(spec.hash, fetched);
    return packageOf(opened, formatOf(fetched), spec, fetched);
  }

  const underway = new Map<string, Promise<CachedPackage | undefined>>();

  const head = async (pkg: CachedPackage, bytes: number): Promise<Uint8Array> => {
    const { files } = formatOf(pkg);
    const local = await downloads.find(files, pkg);
    return local === undefined ? files.getRange(pkg.archivePath, 0, bytes) : beginningOf(local, bytes);
  };

  return {
    url,
    id: opened.id,
    formats: async () => (await formats()).map(({ name }) => name),
    indexes,
    async findPackage(spec, lookup = () => undefined) {
      let running = underway.get(spec.hash);
      if (running === undefined) {
        running = find(spec, lookup).finally(() => underway.delete(spec.hash));
        underway.set(spec.hash, running);
      }
      return running;
    },
    async fetchArchive(pkg) {
      try {
        return await downloads.fetch(formatOf(pkg).files, pkg);
      } catch (thrown) {
        const stale =
          thrown instanceof SpacktainersError &&
          (thrown.code === "CHECKSUM_MISMATCH" || thrown.code === "NOT_FOUND");
        if (!stale) throw thrown;
        // Perhaps the package was pushed again: what is remembered of it must not be used by the next run.
        await memory.forget(pkg.built.hash);
        throw new SpacktainersError(thrown.code, `${briefSpec(pkg.spec)}: ${thrown.message}`, {
          place: thrown.place,
          hint: "if someone has just pushed the package again, run this command again; otherwise the cache's copy is damaged",
          cause: thrown,
        });
      }
    },
    fetchArchiveHead: head,
    async archivePrefix(pkg) {
      const known = await memory.find(pkg.built.hash);
      const same = known?.digest === pkg.digest;
      if (same && known.prefix !== undefined) return known.prefix ?? undefined;
      let prefix: string | undefined;
      try {
        prefix = await archivePrefix(await head(pkg, headBytes), pkg.built.hash, { url: pkg.archiveUrl });
      } catch (thrown) {
        const failure = asSpacktainersError(thrown);
        // These bytes are not verified yet: what is wrong with the archive is for who fetches it to say.
        if (["ARCHIVE_INVALID", "ARCHIVE_UNSAFE", "NOT_FOUND"].includes(failure.code)) return undefined;
        throw failure;
      }
      if (same) await memory.keep(pkg.built.hash, { ...known, prefix: prefix ?? null });
      return prefix;
    },
    async archiveSize(pkg) {
      if (pkg.size !== undefined) return pkg.size;
      const known = await memory.find(pkg.built.hash);
      const same = known?.digest === pkg.digest;
      if (same && known.archiveSize !== undefined) return known.archiveSize ?? undefined;
      const size = (await formatOf(pkg).files.stat(pkg.archivePath))?.size;
      if (same) await memory.keep(pkg.built.hash, { ...known, archiveSize: size ?? null });
      return size;
    },
    async contentOf(pkg) {
      const { built, graph } = pkg;
      const known = await memory.find(built.hash);
      const metadata =
        known?.digest === pkg.digest && known.format === pkg.format
          ? known
          : await formatOf(pkg).findMetadata(built, (hash) => graph.get(hash));
      if (metadata === undefined || metadata.digest !== pkg.digest)
        throw new SpacktainersError("NOT_FOUND", `${briefSpec(built)} is not in ${url} any more`, {
          place: { url },
          hint: "someone pushed it again or removed it: run this command again",
        });
      const { specFile, specPath } = metadata;
      const archive = await this.fetchArchive(pkg);
      const specBlob =
        specPath === undefined
          ? undefined
          : await formatOf(pkg)
              .files.getRange(specPath, 0, largestSpecBlob)
              // A convenience: without it, the spec file is compressed again.
              .catch(() => undefined);
      return { specFile, specBlob, archive };
    },
    async hasLocalArchive(pkg) {
      const { files } = formatOf(pkg);
      return (
        files.localFile(pkg.archivePath) !== undefined || (await downloads.find(files, pkg)) !== undefined
      );
    },
    async keys() {
      const lists: (readonly CacheKey[])[] = [];
      for (const format of await formats()) lists.push(await format.listKeys());
      return mergeCacheKeys(lists);
    },
    close: () => opened.close(),
  };
}

async function packageOf(
  { url: cacheUrl, id: cacheId }: OpenedFormats,
  { files }: CacheFormat,
  asked: PackageId,
  metadata: VerifiedMetadata,
): Promise<CachedPackage> {
  const { archivePath, digest, format, signedBy } = metadata;
  const { root, graph } = identifySpec(metadata.specFile, asked, { url: files.locate(metadata.path) });
  // A local cache can tell the size at no cost.
  const near = files.localFile(archivePath) !== undefined;
  const size = metadata.size ?? (near ? (await files.stat(archivePath))?.size : undefined);
  return {
    spec: root,
    built: root,
    graph,
    digest,
    size,
    format,
    generation: generationOf(root),
    cacheUrl,
    cacheId,
    archiveUrl: files.locate(archivePath),
    archivePath,
    signedBy,
  };
}

/** The index lists what is not there: it is out of date, or the package is being pushed again at this moment. */
function listedOnly(url: string, spec: PackageId): SpacktainersError {
  return new SpacktainersError(
    "PACKAGE_NOT_CACHED",
    `the index of ${url} lists ${briefSpec(spec)}, which does not exist`,
    { hint: "try again in a minute; if the error persists, rebuild the index: spacktainers cache index" },
  );
}

async function beginningOf(path: string, bytes: number): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
