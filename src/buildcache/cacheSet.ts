/** All configured caches together, asked in their order. */
import { briefSpec } from "../spec/concrete.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { formatPlace, SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { type FetchedArchive, openArchiveStore } from "./archives.ts";
import { type BuildCache, type BuildCacheOptions, openBuildCache } from "./buildCache.ts";
import type { DependencyLookup, PackageId } from "./formats/packageId.ts";
import type { NewPackage } from "./formats/writer.ts";
import { mergeIndexes } from "./mergedIndex.ts";
import { OtherCopyNeeded } from "./otherCopy.ts";
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
   * @param accept looks at what verified, and throws when it will not do: then the next cache is asked, too
   * @throws PACKAGE_NOT_CACHED when no cache has it; the first refusal (SIGNATURE_…, KEY_…, CHECKSUM_MISMATCH,
   *   IDENTITY_MISMATCH, …) when one has it but none verifies; CACHE_UNAVAILABLE when caches could not be asked
   */
  findPackage(
    spec: PackageId,
    lookup?: DependencyLookup,
    accept?: (found: CachedPackage) => void,
  ): Promise<CachedPackage>;
  /**
   * As {@link BuildCache.fetchArchive}, from the cache where the package was found; where that fails, from the next that has
   * the same archive, with a warning.
   *
   * @throws the first cache's error, with what else was tried; {@link OtherCopyNeeded} when a cache has another archive of
   *   the package
   */
  fetchArchive(pkg: CachedPackage): Promise<FetchedArchive>;
  /** As {@link BuildCache.contentOf}, of the cache where the package was found. */
  contentOf(pkg: CachedPackage): Promise<NewPackage>;
  fetchArchiveHead(pkg: CachedPackage, bytes: number): Promise<Uint8Array>;
  archivePrefix(pkg: CachedPackage): Promise<string | undefined>;
  archiveSize(pkg: CachedPackage): Promise<number | undefined>;
  hasLocalArchive(pkg: CachedPackage): Promise<boolean>;
  /** Bounds the download store, default 20 GiB; to be called at the end of a run. */
  prune(maxBytes?: number): Promise<{ readonly removed: number; readonly bytes: number }>;
  close(): Promise<void>;
}

/** Opens caches, in order. Nothing is asked of them before it is needed. */
export function openCacheSet(sources: readonly CacheSource[], options: BuildCacheOptions): CacheSet {
  const cacheDir = options.cacheDir ?? cacheHome();
  const archives = openArchiveStore(cacheDir, options.emit, options.clock);
  const caches = sources.map((source) => openBuildCache(source, options, archives));
  const warned = new Set<string>();
  /** Archives that turned out to be missing or damaged in this run, by cache. */
  const broken = new Map<string, SpacktainersError>();
  const copyName = ({ cacheId, digest }: CachedPackage): string => `${cacheId} ${digest}`;
  const report = ({ code, place, hint }: SpacktainersError, message: string): void =>
    options.emit({ type: "warning", code, message, place, hint });
  /** Says once what is wrong with a cache, not once a package. */
  const leaveOut = ({ cache, failure }: Attempt): void => {
    if (warned.has(cache.id)) return;
    warned.add(cache.id);
    report(failure, `the build cache ${cache.url} is skipped: ${failure.message}`);
  };
  /** Says why a copy of a package, or the whole cache, was not used. */
  const warn = (attempt: Attempt, name: string, instead: string): void => {
    const { failure } = attempt;
    if (!aboutPackage(failure)) leaveOut(attempt);
    else {
      const subject = failure.message.startsWith(name) ? "" : `${name}: `;
      report(failure, `${subject}${failure.message}; using the copy in ${instead}`);
    }
  };
  const cacheOf = (pkg: CachedPackage): BuildCache => {
    const cache = caches.find(({ id }) => id === pkg.cacheId);
    if (cache === undefined)
      throw new SpacktainersError("INTERNAL", `no cache ${pkg.cacheUrl} is open`, {
        place: { url: pkg.cacheUrl },
      });
    return cache;
  };
  /** Does something with a package's archive: with that of the cache where it was found, else with the same one of the next. */
  async function fromAnyCopy<T>(
    pkg: CachedPackage,
    work: (cache: BuildCache, copy: CachedPackage) => Promise<T>,
  ): Promise<{ readonly value: T; readonly attempts: readonly Attempt[]; readonly used: BuildCache }> {
    const first = cacheOf(pkg);
    const attempts: Attempt[] = [];
    let another: BuildCache | undefined;
    for (const cache of [first, ...caches.filter((other) => other !== first)]) {
      const result = await settled(
        (async () => {
          const copy =
            cache === first ? pkg : await cache.findPackage(pkg.built, (hash) => pkg.graph.get(hash));
          if (copy === undefined) return undefined;
          if (copy.digest === pkg.digest) return { value: await work(cache, copy) };
          if (!broken.has(copyName(copy))) another ??= cache;
          return undefined;
        })(),
      );
      if ("failure" in result) {
        if (isFinal(result.failure)) throw result.failure;
        attempts.push({ cache, failure: result.failure });
      } else if (result.value !== undefined) return { value: result.value.value, attempts, used: cache };
    }
    throw another === undefined
      ? allFailed(attempts)
      : new OtherCopyNeeded(allFailed(attempts), briefSpec(pkg.built), another.url);
  }

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
          if ("failure" in result) leaveOut({ cache, failure: result.failure });
          // Where folders cannot be listed, a wrong URL looks like this.
          else if (
            result.value.length === 0 &&
            sources.find(({ url }) => url === cache.url)?.mayBeEmpty !== true
          )
            options.emit(withoutIndex(cache.url));
        }
        const indexes = results.flatMap((result) => ("value" in result ? result.value : []));
        if (indexes.every(({ size }) => size === 0)) throw nothingCached(indexed, failures);
        return mergeIndexes(indexes);
      });
      return index;
    },
    async findPackage(spec, lookup, accept) {
      const failures: Attempt[] = [];
      for (const cache of caches) {
        const result = await settled(
          cache.findPackage(spec, lookup).then((found) => {
            const trouble = found === undefined ? undefined : broken.get(copyName(found));
            if (trouble !== undefined) throw trouble;
            if (found !== undefined) accept?.(found);
            return found;
          }),
        );
        if ("failure" in result) {
          if (isFinal(result.failure)) throw result.failure;
          failures.push({ cache, failure: result.failure });
        } else if (result.value !== undefined) {
          for (const attempt of failures) warn(attempt, briefSpec(spec), cache.url);
          return result.value;
        }
      }
      throw notFound(spec, caches, failures);
    },
    async fetchArchive(pkg) {
      const { value, attempts, used } = await fromAnyCopy(pkg, async (cache, copy) => {
        try {
          return await cache.fetchArchive(copy);
        } catch (thrown) {
          if (thrown instanceof SpacktainersError && !isFinal(thrown)) broken.set(copyName(copy), thrown);
          throw thrown;
        }
      });
      for (const attempt of attempts) warn(attempt, briefSpec(pkg.built), used.url);
      return value;
    },
    contentOf: (pkg) => cacheOf(pkg).contentOf(pkg),
    // What is wrong with a copy is reported when its archive is fetched.
    fetchArchiveHead: async (pkg, bytes) =>
      (await fromAnyCopy(pkg, (cache, copy) => cache.fetchArchiveHead(copy, bytes))).value,
    archivePrefix: async (pkg) => (await fromAnyCopy(pkg, (cache, copy) => cache.archivePrefix(copy))).value,
    archiveSize: async (pkg) => (await fromAnyCopy(pkg, (cache, copy) => cache.archiveSize(copy))).value,
    hasLocalArchive: async (pkg) => cacheOf(pkg).hasLocalArchive(pkg),
    async prune(maxBytes) {
      await pruneRemembered(cacheDir, options.clock);
      return archives.prune(maxBytes);
    },
    async close() {
      await Promise.all(caches.map((cache) => cache.close()));
    },
  };
}

/** What to do where no cache is named. */
const howToNameCaches = {
  hint: "name one with --cache URL --trust KEYFILE, or in spacktainers.yaml (a path, or a URL with file:, https: or s3:):",
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
      ? `the build caches that could be read have no packages (${urls})`
      : caches.length === 1
        ? `there are no packages in the build cache ${urls}`
        : `there are no packages in any of the build caches (${urls})`,
    {
      hint: "to push packages into a cache: spacktainers cache push; to index the packages that are already in one: spacktainers cache index",
    },
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
    message: `the build cache ${url} has no index, so spacktainers cannot choose packages from it`,
    hint: "a cache's URL is that of the directory that contains `v3` or `build_cache`; to make an index: spacktainers cache index",
  };
}

/** A cache that was tried, and what came of it. */
interface Attempt {
  readonly cache: BuildCache;
  readonly failure: SpacktainersError;
}

/** Failures with which no other cache helps. */
function isFinal({ code }: SpacktainersError): boolean {
  return ["INTERRUPTED", "DISK_FULL", "INTERNAL"].includes(code);
}

/** The first failure, and what else was tried. */
function allFailed(attempts: readonly Attempt[]): SpacktainersError {
  const [first, ...others] = attempts;
  if (first === undefined) return new SpacktainersError("INTERNAL", "no cache was tried");
  const { failure } = first;
  if (others.length === 0) return failure;
  const tried = others.map((other) => `${other.cache.url}: ${other.failure.message}`).join("; ");
  return new SpacktainersError(failure.code, `${failure.message} (also tried: ${tried})`, {
    place: failure.place,
    hint: failure.hint,
    cause: failure,
  });
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
  failures: readonly Attempt[],
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
        : `no cache has a usable copy of ${name} (${reasons.join("; ")})`;
    return new SpacktainersError(refusal.code, message, {
      place: failures.length === 1 ? { ...refusal.place, spec: name } : { spec: name },
      hint: refusal.hint,
      cause: refusal,
    });
  }
  const first = failures[0]?.failure;
  if (first !== undefined) {
    const code = first.code === "ACCESS_DENIED" ? "ACCESS_DENIED" : "CACHE_UNAVAILABLE";
    return new SpacktainersError(
      code,
      `${name} was not found, and not every cache could be asked (${reasons.join("; ")})`,
      { place: { spec: name }, hint: first.hint, cause: first },
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
    hint: `asked: ${asked}; spacktainers cache push puts packages into a cache`,
  });
}
