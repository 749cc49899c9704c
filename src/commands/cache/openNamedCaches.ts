import type { BuildCache } from "../../buildcache/buildCache.ts";
import { type CacheSet, openCacheSet } from "../../buildcache/cacheSet.ts";
import type { CacheIndex, CacheSource } from "../../buildcache/types.ts";
import type { Repository } from "../../definitions/repository.ts";
import { cacheSources, openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** What every subcommand of `cache` was asked. */
export interface CacheRequest {
  readonly directory: string;
  /** URLs or paths that replace the configured caches; empty: the configured ones. */
  readonly caches: readonly string[];
  /** Files of keys that are trusted besides those configured for a cache. */
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A cache and what its indexes list. */
export interface IndexedCache {
  readonly cache: BuildCache;
  /** One a format, as in {@link BuildCache.indexes}. */
  readonly indexes: readonly CacheIndex[];
}

/** The caches of a command line. */
export interface NamedCaches {
  readonly repository: Repository;
  readonly sources: readonly CacheSource[];
  /** Opens them; the caller closes them. Nothing is asked of them yet. */
  open(sources?: readonly CacheSource[]): CacheSet;
}

/**
 * Reads which caches the configuration or the command line names. What was built on this machine and waits there to be published is
 * not among them.
 *
 * @throws {SpacktainersError} `CONFIG_INVALID` when no cache is named; `KEY_INVALID`; of reading the repository
 */
export async function namedCaches(request: CacheRequest): Promise<NamedCaches> {
  const { directory, emit, signal, refresh } = request;
  const repository = await openSoundRepository(directory);
  const all = await cacheSources(repository.configuration, request, directory);
  const sources = all.filter(({ hashOnly }) => hashOnly !== true);
  if (sources.length === 0)
    throw new SpacktainersError("CONFIG_INVALID", "no build cache is configured", {
      hint: "name one with --cache URL, or in spacktainers.yaml under `caches:`",
    });
  return {
    repository,
    sources,
    open: (chosen = sources) => openCacheSet(chosen, { emit, signal, refresh }),
  };
}

/** The same caches for a look without a judgement: signatures are not asked for. What comes from them is never installed. */
export function unjudged(sources: readonly CacheSource[]): readonly CacheSource[] {
  return sources.map((source) => ({ ...source, keys: [], unsigned: true }));
}

/**
 * The indexes of caches. One that cannot be read is left out with a warning while there are others; of one without any, there is a
 * warning.
 *
 * @throws the caches' errors when none of them can be read
 */
export async function readIndexes({ caches }: CacheSet, emit: EmitEvent): Promise<readonly IndexedCache[]> {
  const failures: SpacktainersError[] = [];
  const read = await Promise.all(
    caches.map(async (cache): Promise<IndexedCache | undefined> => {
      try {
        return { cache, indexes: await cache.indexes() };
      } catch (thrown) {
        if (!(thrown instanceof SpacktainersError) || thrown.code === "INTERRUPTED") throw thrown;
        failures.push(thrown);
        return undefined;
      }
    }),
  );
  const found = read.filter((each) => each !== undefined);
  if (found.length === 0) throw oneError(failures);
  for (const { code, message, place, hint } of failures)
    emit({ type: "warning", code, message, place, hint });
  for (const { cache, indexes } of found)
    if (indexes.length === 0)
      emit({
        type: "warning",
        code: "CACHE_INVALID",
        message: `the build cache ${cache.url} has no index, so its packages cannot be listed`,
        hint: "make one: spacktainers cache index",
      });
  return found;
}
