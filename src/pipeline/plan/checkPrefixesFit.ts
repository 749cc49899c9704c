import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { checkPrefixLengths } from "../../install/checkPrefixLengths.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** Requests for the beginnings of archives at a time. */
const headsAtOnce = 16;

/**
 * Refuses an install root that is too long before anything is downloaded: the prefix a package was built in stands at the
 * beginning of its archive, and only that is fetched.
 *
 * @throws {SpacktainersError} `PREFIX_TOO_LONG`, one for all packages, with the numbers
 */
export async function checkPrefixesFit(
  packages: readonly CachedPackage[],
  prefixes: ReadonlyMap<DagHash, string>,
  root: string,
  caches: CacheSet,
): Promise<void> {
  const changes = await mapConcurrently(packages, headsAtOnce, async (cached) => ({
    name: cached.spec.name,
    hash: cached.spec.hash,
    oldPrefix: await caches.archivePrefix(cached),
    newPrefix: prefixes.get(cached.spec.hash) ?? "",
  }));
  checkPrefixLengths(
    // An archive whose beginning does not tell is checked when it is installed.
    changes.flatMap(({ oldPrefix, ...change }) =>
      oldPrefix === undefined ? [] : [{ ...change, oldPrefix }],
    ),
    root,
  );
}
