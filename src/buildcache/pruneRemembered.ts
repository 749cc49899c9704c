/** Removes what is remembered of caches that nobody uses any more: index copies, verified metadata, verified files. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { ageOfFile, type Clock, systemClock } from "../util/clock.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";

const dayMs = 24 * 3600 * 1000;
/** Index copies are large and quickly fetched; the rest is small. */
const indexAgeMs = 30 * dayMs;
const recordAgeMs = 180 * dayMs;

/**
 * Looks at most once a day. Safe while other processes work: what is in use is young, and what is gone is made again. What
 * cannot be removed is left: that is no reason for work to fail that is already done.
 *
 * @param cacheDirectory see `cacheHome`
 */
export async function pruneRemembered(cacheDirectory: string, clock: Clock = systemClock): Promise<void> {
  const root = join(cacheDirectory, "index");
  const marker = join(root, ".pruned");
  const age = await ageOfFile(marker, clock);
  // A marker from the future is of a time when the clock was wrong.
  if (age >= 0 && age < dayMs) return;
  for (const entry of await entriesOf(root)) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, entry.name);
    if (entry.name === "verified") await removeOld(folder, recordAgeMs, clock);
    else await pruneCache(folder, clock);
  }
  await writeFileAtomically(marker, "").catch(() => {});
}

async function pruneCache(folder: string, clock: Clock): Promise<void> {
  await removeOld(join(folder, "packages"), recordAgeMs, clock);
  const entries = await entriesOf(folder);
  for (const { name } of entries) {
    const format = /^([a-z0-9]+)\.json$/.exec(name)?.[1];
    // The state is touched at every use.
    if (format === undefined || (await ageOfFile(join(folder, name), clock)) < indexAgeMs) continue;
    await removeIfPossible(join(folder, name));
    for (const other of entries)
      if (other.name.startsWith(`${format}-`)) await removeIfPossible(join(folder, other.name));
  }
}

async function removeOld(folder: string, ageMs: number, clock: Clock): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await removeOld(path, ageMs, clock);
    else if ((await ageOfFile(path, clock)) > ageMs) await removeIfPossible(path);
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}
