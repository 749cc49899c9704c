/** All configured caches together, asked in their order. */
import { briefSpec } from "../spec/concrete.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { formatPlace, SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type FetchedArchive, openArchiveStore } from "./archives.ts";
import { type BuildCache, type BuildCacheOptions, openBuildCache } from "./buildCache.ts";
import type { PackageId, SpecLookup } from "./formats/packageId.ts";
import { mergeIndexes } from "./mergedIndex.ts";
import { pruneRemembered } from "./pruneRemembered.ts";
import type { CachedPackage, CacheIndex, CacheSource } from "./types.ts";

export interface CacheSet {
  readonly caches: readonly BuildCache[];
  /**
   * All indexes as one. A cache that cannot be reached, or has no index, is left out with a warning.
   *
   * @throws CONFIG_INVALID when no cache is configured; the caches' own errors when none could be read; NO_SOLUTION when
   *   there is no package in any of them
   */
  index(): Promise<CacheIndex>;
  /**
   * The first cache's copy that verifies. A copy that fails is reported as a warning and the next cache is asked.
   *
   * @throws PACKAGE_NOT_CACHED when no cache has it; the first refusal (SIGNATURE_…, KEY_…, CHECKSUM_MISMATCH,
   *   IDENTITY_MISMATCH, …) when one has it but none verifies; CACHE_UNAVAILABLE when caches could not be asked
   */
  findPackage(spec: PackageId, lookup?: SpecLookup): Promise<CachedPackage>;
  /** As {@link BuildCache.fetchArchive}, from the cache where the package was found. */
  fetchArchive(pkg: CachedPackage): Promise<FetchedArchive>;
  fetchArchiveHead(pkg: CachedPackage, bytes: number): Promise<Uint8Array>;
  archivePrefix(pkg: CachedPackage): Promise<string | undefined>;
  archiveSize(pkg: CachedPackage): Promise<number | undefined>;
  hasLocalArchive(pkg: CachedPackage): Promise<boolean>;
  /** Bounds the download store, default 20 GiB; to be called at the end of a run. */
  prune(maxBytes?: number): Promise<{ readonly removed: number; readonly bytes: number }>;
  close(): Promise<void>;
}

/** Opens caches, in order. Nothing is asked of them before it is needed. */
export function openCaches(sources: readonly CacheSource[], options: BuildCacheOptions): CacheSet {
  const cacheDir = options.cacheDir ?? cacheHome();
  const archives = openArchiveStore(cacheDir, options.emit);
  const caches = sources.map((source) => openBuildCache(source, options, archives));
  const warned = new Set<string>();
  /** Says once what is wrong with a cache, not once a package. */
  const warn = (cache: BuildCache, failure: SpacktainersError, once: boolean): void => {
    if (once && warned.has(cache.url)) return;
    if (once) warned.add(cache.url);
    options.emit({
      type: "warning",
      code: failure.code,
      message: once ? `the build cache ${cache.url} is left out: ${failure.message}` : failure.message,
      place: failure.place,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    });
  };
  const cacheOf = (pkg: CachedPackage): BuildCache => {
    const cache = caches.find(({ url }) => url === pkg.cacheUrl);
    if (cache === undefined)
      throw new SpacktainersError("INTERNAL", `no cache ${pkg.cacheUrl} is open`, {
        place: { url: pkg.cacheUrl },
      });
    return cache;
  };
  let index: Promise<CacheIndex> | undefined;

  return {
    caches,
    index() {
      const indexed = caches.filter((_, at) => sources[at]?.hashOnly !== true);
      if (indexed.length === 0) return Promise.reject(noCache());
      index ??= Promise.all(indexed.map((cache) => settled(cache.indexes()))).then((results) => {
        const failures = results.flatMap((result) => ("failure" in result ? [result.failure] : []));
        if (failures.length === indexed.length) throw oneOrAll(failures);
        for (const [at, result] of results.entries()) {
          const cache = indexed[at];
          if (cache === undefined) continue;
          if ("failure" in result) warn(cache, result.failure, true);
          // Where folders cannot be listed, a wrong URL looks like this.
          else if (result.value.length === 0) options.emit(withoutIndex(cache.url));
        }
        const indexes = results.flatMap((result) => ("value" in result ? result.value : []));
        if (indexes.every(({ size }) => size === 0)) throw nothingCached(indexed, failures);
        return mergeIndexes(indexes);
      });
      return index;
    },
    async findPackage(spec, lookup) {
      const failures: { readonly cache: BuildCache; readonly failure: SpacktainersError }[] = [];
      for (const cache of caches) {
        const result = await settled(cache.findPackage(spec, lookup));
        if ("failure" in result) {
          if (result.failure.code === "INTERRUPTED") throw result.failure;
          failures.push({ cache, failure: result.failure });
        } else if (result.value !== undefined) {
          for (const { cache: earlier, failure } of failures) warn(earlier, failure, !aboutPackage(failure));
          return result.value;
        }
      }
      throw notFound(spec, caches, failures);
    },
    fetchArchive: async (pkg) => cacheOf(pkg).fetchArchive(pkg),
    fetchArchiveHead: async (pkg, bytes) => cacheOf(pkg).fetchArchiveHead(pkg, bytes),
    archivePrefix: async (pkg) => cacheOf(pkg).archivePrefix(pkg),
    archiveSize: async (pkg) => cacheOf(pkg).archiveSize(pkg),
    hasLocalArchive: async (pkg) => cacheOf(pkg).hasLocalArchive(pkg),
    async prune(maxBytes) {
      await pruneRemembered(cacheDir);
      return archives.prune(maxBytes);
    },
    async close() {
      await Promise.all(caches.map((cache) => cache.close()));
    },
  };
}

/** What to do where no cache is named. */
const howToNameCaches = {
  hint: "name one by --cache URL --trust KEYFILE, or in spacktainers.yaml (a path, or a URL with file:, https: or s3:):",
  example: ["caches:", "- { url: s3://my-build-cache, trust: [keys/my-build-cache.pub] }"],
};

function noCache(): SpacktainersError {
  return new SpacktainersError(
    "CONFIG_INVALID",
    "no build cache is configured, so there are no packages to choose from",
    howToNameCaches,
  );
}

function nothingCached(
  caches: readonly BuildCache[],
  failures: readonly SpacktainersError[],
): SpacktainersError {
  const urls = caches.map(({ url }) => url).join(", ");
  return new SpacktainersError(
    "NO_SOLUTION",
    failures.length > 0
      ? `there is no package in the build caches that could be read (${urls})`
      : caches.length === 1
        ? `there is no package in the build cache ${urls}`
        : `there is no package in any of the build caches (${urls})`,
    { hint: "push some (spack buildcache push), then: spack buildcache update-index" },
  );
}

function oneOrAll(failures: readonly SpacktainersError[]): SpacktainersError | SpacktainersErrors {
  const [first] = failures;
  return first !== undefined && failures.length === 1 ? first : new SpacktainersErrors(failures);
}

function withoutIndex(url: string): Parameters<BuildCacheOptions["emit"]>[0] {
  return {
    type: "warning",
    code: "CACHE_INVALID",
    message: `the build cache ${url} has no index, so nothing can be chosen from it`,
    hint: "a cache's URL is that of the directory that has `v3` or `build_cache` in it; an index is made by: spack buildcache update-index",
  };
}

type Settled<T> = { readonly value: T } | { readonly failure: SpacktainersError };

/** A result or one of our errors, as a value; anything else is thrown. */
async function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work };
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return { failure: thrown };
    throw thrown;
  }
}

/** Whether a failure is about one package rather than about the cache as a whole. */
function aboutPackage(failure: SpacktainersError): boolean {
  return !["NETWORK", "ACCESS_DENIED", "CACHE_UNAVAILABLE"].includes(failure.code);
}

function notFound(
  spec: PackageId,
  caches: readonly BuildCache[],
  failures: readonly { readonly cache: BuildCache; readonly failure: SpacktainersError }[],
): SpacktainersError {
  const name = briefSpec(spec);
  const reasons = failures.map(({ cache, failure }) => {
    const place = formatPlace(failure.place);
    return place.includes(cache.url) ? `${place}: ${failure.message}` : `${cache.url}: ${failure.message}`;
  });
  const refusal = failures.find(({ failure }) => aboutPackage(failure))?.failure;
  if (refusal !== undefined) {
    const message =
      failures.length === 1
        ? `${name}: ${refusal.message}`
        : `no cache has a copy of ${name} that can be used (${reasons.join("; ")})`;
    return new SpacktainersError(refusal.code, message, {
      place: failures.length === 1 ? { ...refusal.place, spec: name } : { spec: name },
      ...(refusal.hint === undefined ? {} : { hint: refusal.hint }),
      cause: refusal,
    });
  }
  const first = failures[0]?.failure;
  if (first !== undefined) {
    const code = first.code === "ACCESS_DENIED" ? "ACCESS_DENIED" : "CACHE_UNAVAILABLE";
    return new SpacktainersError(
      code,
      `${name} was not found, and not every cache could be asked (${reasons.join("; ")})`,
      { place: { spec: name }, ...(first.hint === undefined ? {} : { hint: first.hint }), cause: first },
    );
  }
  if (caches.length === 0)
    return new SpacktainersError(
      "PACKAGE_NOT_CACHED",
      `${name} is needed, and no build cache is configured`,
      {
        place: { spec: name },
        ...howToNameCaches,
      },
    );
  const asked = caches.map((cache) => cache.url).join(", ");
  return new SpacktainersError("PACKAGE_NOT_CACHED", `${name} is in no build cache`, {
    place: { spec: name },
    hint: `asked: ${asked}; push it with: spack buildcache push`,
  });
}
