import { constants, gunzipSync } from "node:zlib";
import { contentOf, readContent } from "../../archive/content.ts";
import { readTar } from "../../archive/readTar.ts";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";

/** Bytes of an archive that are read: metadata stands at its beginning, and compresses well. */
const headBytes = 512 * 1024;
/** Most that they may be uncompressed, in bytes. */
const mostUncompressed = 64 * 2 ** 20;
/** A file of times is some hundred bytes. */
const largestTimes = 64 * 1024;

/**
 * What Spack noted of how long a package took to build: the text of `.spack/install_times.json`, as far as the beginning of its
 * archive has it. A hint, not verified.
 *
 * @returns undefined when it is not there
 */
export async function installTimesOf(
  cached: CachedPackage,
  caches: Pick<CacheSet, "fetchArchiveHead">,
): Promise<string | undefined> {
  const head = await caches.fetchArchiveHead(cached, headBytes);
  try {
    const tar = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: mostUncompressed });
    for await (const entry of readTar(contentOf(tar), { where: { url: cached.archiveUrl }, end: "optional" }))
      if (entry.type === "file" && entry.path.endsWith("/.spack/install_times.json"))
        return (await readContent(entry, largestTimes)).toString("utf8");
  } catch {
    // The beginning ends somewhere, and whoever installs the archive says what is wrong with it.
  }
  return undefined;
}
