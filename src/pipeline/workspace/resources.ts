/** What the work on several containers shares: caches, threads, stores, registries. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { baseCacheDirectory } from "../../base/baseStore.ts";
import { type CacheSet, openCacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { type FragmentStore, openFragmentStore } from "../../image/fragmentStore.ts";
import { type InstallPool, openInstallPool } from "../../install/installPool.ts";
import { openRegistries, type Registries } from "../../registry/openRegistries.ts";
import { makeBuiltCaches, makeEmptyCache } from "../../spack/folders.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { BuildingRequest } from "./buildingRequest.ts";
import { tidyKept } from "./keptParts.ts";
import { cacheSources, trustOf } from "./workspace.ts";

/** Finished fragments kept on this machine, in bytes. */
const fragmentStoreBytes = 20 * 2 ** 30;

/** What builds share. */
export interface Resources {
  readonly caches: CacheSet;
  /** The caches are those that the command line names, not the configured ones. */
  readonly areCachesGiven: boolean;
  readonly pool: InstallPool;
  readonly store: FragmentStore;
  readonly registries: Registries;
  readonly baseCacheDir: string;
  /** How to build what no cache has; undefined where that is refused. */
  readonly building: Building | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** How to build what no cache has. */
export interface Building extends BuildingRequest {
  /** Keeps what is built with other trust apart (see `trustOf`). */
  readonly trust: string;
}

/** The part of a command line that decides the resources: shared by all verbs that choose packages. */
export interface ResourcesRequest {
  readonly directory: string;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  /** Packages at a time; undefined: one a core. */
  readonly jobs: number | undefined;
  /** What no cache has may be built, as asked for; left out by verbs that build nothing. */
  readonly building?: BuildingRequest | undefined;
  /** Something is published: credentials of registries must be there. Left out by verbs that only ask registries. */
  readonly publishes?: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Opens the resources, works with them, and closes them. */
export async function withResources<T>(
  configuration: Configuration,
  request: ResourcesRequest,
  work: (resources: Resources) => Promise<T>,
): Promise<T> {
  const { emit, signal, directory, refresh, jobs, building, publishes = false } = request;
  const allowed = building?.allowed ?? configuration.spack.build;
  const settings = allowed
    ? { ...configuration, spack: { ...configuration.spack, build: true } }
    : configuration;
  const configured = await cacheSources(settings, request, directory);
  const trust = trustOf(configured);
  if (building !== undefined && allowed) {
    await makeBuiltCaches(trust);
    // What is built goes there: it may be empty, and need not be there yet.
    for (const { url, push } of configuration.caches)
      if (push && url.startsWith("/") && !existsSync(url)) await makeEmptyCache(url);
  }
  const sources = building === undefined ? configured : await cacheSources(settings, request, directory);
  const caches = openCacheSet(sources, { emit, signal, refresh });
  const pool = openInstallPool(jobs === undefined ? {} : { threads: jobs });
  const store = openFragmentStore(join(cacheHome(), "fragments"));
  const registries = openRegistries({
    configured: configuration.registries,
    readOnly: !publishes,
    emit,
    signal,
  });
  try {
    return await work({
      caches,
      areCachesGiven: request.caches.length > 0,
      pool,
      store,
      registries,
      baseCacheDir: baseCacheDirectory(),
      building: building === undefined || !allowed ? undefined : { ...building, trust },
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
export async function tidyResources({ caches, store }: Resources): Promise<void> {
  await caches.prune();
  await store.prune(fragmentStoreBytes);
  await tidyKept(cacheHome());
}
