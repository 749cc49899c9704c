import { openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import type { IndexUpdate } from "../../buildcache/formats/writer.ts";
import { type CacheRequest, namedCaches } from "./openNamedCaches.ts";
import { pushedSources } from "./pushedSources.ts";

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
  const targets = pushedSources(await namedCaches(request), request);
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
