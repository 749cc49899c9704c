import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Dialect } from "../../spec/abstract.ts";

/**
 * The generation of the spec language that a manifest is read in: as configured; else, without a lock to tell it, 0.x where
 * the packages come from a cache that Spack 0.x wrote. Undefined: whatever the manifest or its lock looks like.
 *
 * @throws {SpacktainersError} of reading the caches' indexes
 */
export async function chooseDialect(
  container: Pick<Container, "lock">,
  configuration: Configuration,
  caches: CacheSet,
): Promise<Dialect | undefined> {
  if (configuration.spack.dialect !== undefined) return configuration.spack.dialect;
  if (container.lock !== undefined) return undefined;
  return (await caches.index()).layout === 2 ? "0.x" : undefined;
}
