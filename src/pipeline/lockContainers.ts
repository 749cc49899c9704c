import { join } from "node:path";
import { baseCacheDirectory } from "../base/baseStore.ts";
import { openCaches } from "../buildcache/cacheSet.ts";
import { selectContainers } from "../definitions/select.ts";
import { openFragmentStore } from "../image/fragmentStore.ts";
import { openInstallPool } from "../install/installPool.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { asArchitecture } from "./architecture.ts";
import { checkLocks, type LockResult, lockContainer } from "./lockContainer.ts";
import { cacheSources, openSoundRepository } from "./workspace.ts";

/** A command line of `lock`. */
export interface LockRequest {
  readonly directory: string;
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** Roots that are locked and still asked for keep their configuration. */
  readonly keep: boolean;
  /** Write nothing; fail when a lock is missing or does not fit. */
  readonly check: boolean;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly jobs: number | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Locks the containers asked for, one after the other; containers without Spack packages are passed over when none was named.
 *
 * @returns one result a container; none with `check`
 * @throws {SpacktainersErrors} with `check`: everything that is out of date
 */
export async function lockContainers(request: LockRequest): Promise<readonly LockResult[]> {
  const { emit, signal, directory } = request;
  const repository = await openSoundRepository(directory);
  const arch = asArchitecture(request.arch);
  const selected = await selectContainers(repository, {
    names: request.names,
    cwd: directory,
    ...(arch === undefined ? {} : { arch }),
  });
  const containers =
    request.names.length > 0 ? selected : selected.filter((container) => container.kind === "spack");
  if (containers.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to lock", {
      hint: "definitions are container_definitions/<arch>/<name>/spack.yaml",
    });
  const { configuration } = repository;
  const sources = await cacheSources(configuration.caches, request, directory);
  const caches = openCaches(sources, { emit, signal, refresh: request.refresh });
  const pool = openInstallPool(request.jobs === undefined ? {} : { threads: request.jobs });
  const store = openFragmentStore(join(cacheHome(), "fragments"));
  try {
    if (request.check) {
      const problems: SpacktainersError[] = [];
      for (const container of containers)
        problems.push(...(await checkLocks(container, configuration, { caches, emit })));
      if (problems.length > 0) throw new SpacktainersErrors(problems);
      return [];
    }
    const baseCacheDir = baseCacheDirectory();
    const workshop = { caches, pool, store, baseCacheDir, emit, signal, refresh: request.refresh };
    const results: LockResult[] = [];
    for (const container of containers)
      results.push(await lockContainer(container, configuration, request.keep, workshop));
    return results;
  } finally {
    await pool.close();
    await caches.close();
  }
}
