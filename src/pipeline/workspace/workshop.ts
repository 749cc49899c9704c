/** What the work on several containers shares: caches, threads, stores, registries. */
import { join } from "node:path";
import { baseCacheDirectory } from "../../base/baseStore.ts";
import { type CacheSet, openCaches } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { type FragmentStore, openFragmentStore } from "../../image/fragmentStore.ts";
import { type InstallPool, openInstallPool } from "../../install/installPool.ts";
import { openRegistries, type Registries } from "../../registry/openRegistries.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import type { EmitEvent } from "../../util/events.ts";
import { cacheSources } from "./workspace.ts";

/** Finished fragments kept on this machine, in bytes. */
const fragmentStoreBytes = 20 * 2 ** 30;

/** What builds share. */
export interface Workshop {
  readonly caches: CacheSet;
  readonly pool: InstallPool;
  readonly store: FragmentStore;
  readonly registries: Registries;
  readonly baseCacheDir: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What of a command line decides a workshop: the part that all have that choose packages. */
export interface WorkshopRequest {
  readonly directory: string;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  /** Packages at a time; undefined: one a core. */
  readonly jobs: number | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Opens a workshop, works in it, and closes it. */
export async function inWorkshop<T>(
  configuration: Configuration,
  request: WorkshopRequest,
  work: (workshop: Workshop) => Promise<T>,
): Promise<T> {
  const { emit, signal, directory, refresh, jobs } = request;
  const sources = await cacheSources(configuration.caches, request, directory);
  const caches = openCaches(sources, { emit, signal, refresh });
  const pool = openInstallPool(jobs === undefined ? {} : { threads: jobs });
  const store = openFragmentStore(join(cacheHome(), "fragments"));
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  try {
    return await work({
      caches,
      pool,
      store,
      registries,
      baseCacheDir: baseCacheDirectory(),
      emit,
      signal,
    });
  } finally {
    await pool.close();
    await caches.close();
    await registries.close();
  }
}

/** Bounds what builds leave on this machine; to be called when something was made. */
export async function tidyWorkshop({ caches, store }: Workshop): Promise<void> {
  await caches.prune();
  await store.prune(fragmentStoreBytes);
}
