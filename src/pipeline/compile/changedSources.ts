/** Packages of `develop:` that were built from a folder that has changed since. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { CachedPackage } from "../../buildcache/types.ts";
import { briefSpec } from "../../spec/concrete.ts";
import type { EmitEvent } from "../../util/events.ts";

/** Files and folders looked at in one folder of sources; what lies beyond is not seen. */
const mostEntries = 200_000;

/**
 * Warns of packages that a cache on this machine has, but that were built before their sources changed. Spack gives a package that is
 * developed the same hash whatever its folder holds, and decides by the times of the files whether to build it again; a build cache,
 * which is found by hash, cannot.
 *
 * @param cached the packages that are taken from caches
 */
export async function warnOfChangedSources(cached: Iterable<CachedPackage>, emit: EmitEvent): Promise<void> {
  for (const pkg of cached) {
    const folder = pkg.built.variants.get("dev_path");
    // Of a package from elsewhere nobody here knows when it was built.
    if (typeof folder !== "string" || !pkg.archiveUrl.startsWith("/")) continue;
    const built = await lstat(pkg.archiveUrl).catch(() => undefined);
    if (built === undefined) continue;
    const changed = await changedAfter(folder, built.mtimeMs, { entries: mostEntries });
    if (changed === undefined) continue;
    emit({
      type: "warning",
      code: "NOTICE",
      message: `${briefSpec(pkg.spec)} is not built again, although ${changed} changed after it was built`,
      place: { spec: briefSpec(pkg.spec), file: folder },
      hint: `its hash does not depend on the files in that folder; to build it again, give it another version in spack.yaml, or remove the build cache ${pkg.cacheUrl}`,
    });
  }
}

/** The first thing found in a folder (or the folder itself) that changed after a moment; undefined if nothing did, or it is not there. */
async function changedAfter(
  path: string,
  time: number,
  left: { entries: number },
): Promise<string | undefined> {
  if (left.entries-- <= 0) return undefined;
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  if (facts.mtimeMs > time) return path;
  if (!facts.isDirectory()) return undefined;
  for (const name of (await readdir(path).catch(() => [])).sort()) {
    // Git writes there when nothing else has changed.
    if (name === ".git") continue;
    const found = await changedAfter(join(path, name), time, left);
    if (found !== undefined) return found;
  }
  return undefined;
}
