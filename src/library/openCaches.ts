import type { BuildCacheOptions } from "../buildcache/buildCache.ts";
import { type CacheSet, openCacheSet } from "../buildcache/cacheSet.ts";
import type { CacheSource } from "../buildcache/types.ts";
import { ignoreEvents } from "../util/events.ts";

/** A build cache to open. */
export interface CacheToOpen extends Omit<CacheSource, "keys" | "unsigned"> {
  /** Public keys that may sign its packages. Without any, and without `unsigned`, nothing in it is trusted. */
  readonly keys?: CacheSource["keys"] | undefined;
  /** The cache has no signatures. */
  readonly unsigned?: boolean | undefined;
}

/** How to work with caches; everything may be left out. */
export interface OpenCachesOptions {
  /** Where what is read of them is kept; default `$XDG_CACHE_HOME/spacktainers`, by default `~/.cache/spacktainers`. */
  readonly cacheDirectory?: string | undefined;
  readonly emit?: BuildCacheOptions["emit"] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Ask the caches again, whatever is known of them. */
  readonly refresh?: boolean | undefined;
}

/** Opens build caches, in the order in which they are to be asked. Nothing is asked of them before it is needed. */
export function openCaches(
  caches: readonly CacheToOpen[],
  { cacheDirectory, emit = ignoreEvents, signal, refresh = false }: OpenCachesOptions = {},
): CacheSet {
  const sources = caches.map(({ keys = [], unsigned = false, ...cache }) => ({ ...cache, keys, unsigned }));
  return openCacheSet(sources, {
    emit,
    signal,
    refresh,
    cacheDir: cacheDirectory,
  });
}
