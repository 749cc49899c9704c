import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** Questions for the size of an archive at a time. */
const sizesAtOnce = 16;

/** Bytes of the archives, as far as caches say; one in layout v2 must be asked for each. */
export async function archiveSizes(
  packages: readonly CachedPackage[],
  caches: Pick<CacheSet, "archiveSize">,
): Promise<ReadonlyMap<DagHash, number>> {
  const sizes = await mapConcurrently(packages, sizesAtOnce, (cached) => caches.archiveSize(cached));
  return new Map(
    packages.flatMap(({ spec }, index) => {
      const size = sizes[index];
      return size === undefined ? [] : [[spec.hash, size]];
    }),
  );
}
