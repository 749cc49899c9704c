import { SpacktainersError } from "../util/errors.ts";
import { layout2, layout3 } from "./layoutPaths.ts";
import type { CacheStore } from "./store.ts";
import type { CacheLayout } from "./types.ts";

/**
 * Which layouts a cache has, in the order they are asked: v3, then v2, as Spack does. Both may coexist. A server that
 * cannot list folders and has neither an index nor any other known file is taken to have both: packages can be found by
 * their computed names alone.
 *
 * @throws CACHE_UNAVAILABLE when nothing is there; CACHE_INVALID when what is there is no build cache; NETWORK, ACCESS_DENIED
 */
export async function detectLayouts(store: CacheStore): Promise<readonly CacheLayout[]> {
  // Both answers are waited for: nothing may go on behind a failure, when the store is closed.
  const answers = await Promise.allSettled([has(store, 3), has(store, 2)]);
  const [has3, has2] = answers.map((answer) => {
    if (answer.status === "rejected") throw answer.reason;
    return answer.value;
  });
  const found: CacheLayout[] = [];
  if (has3 === true) found.push(3);
  if (has2 === true) found.push(2);
  if (found.length > 0) return found;
  if (has3 === undefined && has2 === undefined) return [3, 2];
  const place = store.kind === "file" ? { file: store.url } : { url: store.url };
  if (store.kind === "file" && (await store.hasFolder("")) === false)
    throw new SpacktainersError("CACHE_UNAVAILABLE", "there is no such directory", {
      place,
      hint: "check the cache's path; in spacktainers.yaml it is relative to that file",
    });
  throw new SpacktainersError(
    "CACHE_INVALID",
    "this is no Spack build cache: it has neither v3 nor build_cache",
    {
      place,
      hint: "a cache's URL is that of the directory that has `v3` or `build_cache` in it",
    },
  );
}

/** True or false when that is certain, undefined when the store cannot tell. */
async function has(store: CacheStore, layout: CacheLayout): Promise<boolean | undefined> {
  if (layout === 3 && (await store.get(layout3.layout, { maxBytes: 65_536 })).status === "found") return true;
  const folder = await store.hasFolder(layout === 3 ? "v3/manifests" : "build_cache");
  if (folder !== undefined) return folder;
  const files = layout === 3 ? [layout3.indexManifest] : [layout2.index, layout2.keyIndex];
  for (const file of files) if ((await store.stat(file)) !== undefined) return true;
  return undefined;
}
