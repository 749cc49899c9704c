/** Removes what is remembered of caches that nobody uses any more: index copies, verified metadata, verified files. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../util/atomicFile.ts";

const dayMs = 24 * 3600 * 1000;
/** Index copies are large and quickly fetched; the rest is small. */
const indexAgeMs = 30 * dayMs;
const recordAgeMs = 180 * dayMs;

/**
 * Looks at most once a day. Safe while other processes work: what is in use is young, and what is gone is made again.
 *
 * @param cacheDirectory see `cacheHome`
 */
export async function pruneRemembered(cacheDirectory: string): Promise<void> {
  const root = join(cacheDirectory, "index");
  const marker = join(root, ".pruned");
  if ((await ageOf(marker)) < dayMs) return;
  for (const folder of await readdir(root).catch(() => [])) {
    if (folder === "verified") await removeOld(join(root, folder), recordAgeMs);
    else await pruneCache(join(root, folder));
  }
  await writeFileAtomically(marker, "").catch(() => {});
}

async function pruneCache(folder: string): Promise<void> {
  await removeOld(join(folder, "packages"), recordAgeMs);
  for (const layout of ["v2", "v3"]) {
    // The state is touched at every use.
    if ((await ageOf(join(folder, `${layout}.json`))) < indexAgeMs) continue;
    await rm(join(folder, `${layout}.json`), { force: true });
    for (const name of await readdir(folder).catch(() => []))
      if (name.startsWith(`${layout}-`)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function removeOld(folder: string, ageMs: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await removeOld(path, ageMs);
    else if ((await ageOf(path)) > ageMs) await rm(path, { force: true });
  }
}

/** Milliseconds since a file was written; infinite when it is not there. */
async function ageOf(path: string): Promise<number> {
  return stat(path).then(
    (facts) => Date.now() - facts.mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
}
