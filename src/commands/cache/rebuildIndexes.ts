import { openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import type { IndexUpdate } from "../../buildcache/formats/writer.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type CacheRequest, namedCaches } from "./openNamedCaches.ts";

/** What became of the indexes of a cache. */
export interface RebuiltIndexes extends IndexUpdate {
  readonly cache: string;
}

/**
 * Makes the indexes of caches from what they have: of those named, else of those of the configuration that are pushed to.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for a cache that can only be read; of the caches
 */
export async function rebuildIndexes(request: CacheRequest): Promise<readonly RebuiltIndexes[]> {
  const { emit, signal } = request;
  const { repository, sources } = await namedCaches(request);
  const pushed = new Set(repository.configuration.caches.filter(({ push }) => push).map(({ url }) => url));
  const targets = request.caches.length > 0 ? sources : sources.filter(({ url }) => pushed.has(url));
  if (targets.length === 0)
    throw new SpacktainersError("USAGE", "no cache of the configuration is one that is pushed to", {
      hint: "say `push: true` of yours, or name it: --cache URL",
    });
  emit({ type: "stage", stage: "index-packages" });
  const rebuilt: RebuiltIndexes[] = [];
  for (const source of targets) {
    // An index has no signature: none is needed to make it.
    const writer = openCacheWriter({ ...source, unsigned: true }, { signer: undefined }, { emit, signal });
    try {
      rebuilt.push({ cache: writer.url, ...(await writer.rebuildIndex()) });
    } finally {
      await writer.close();
    }
  }
  return rebuilt;
}
