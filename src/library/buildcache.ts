/** `spacktainers/buildcache`: build caches, their indexes, verified packages and archives. */
import "../util/requireNode.ts";

export type { FetchedArchive } from "../buildcache/archives.ts";
export type { CacheSet } from "../buildcache/cacheSet.ts";
export type { CachedPackage, CacheIndex, CacheSource } from "../buildcache/types.ts";
export { type KeyFile, readKeyFile } from "../openpgp/keyFile.ts";
export { type CacheToOpen, type OpenCachesOptions, openCaches } from "./openCaches.ts";
export { packagesSatisfying } from "./packagesSatisfying.ts";
