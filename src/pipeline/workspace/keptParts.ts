/** What this program keeps below its cache home, part by part, and what of it can be removed. */
import type { Dirent } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { ageOfFile, type Clock, systemClock } from "../../util/clock.ts";
import { livingHolder } from "../../util/fileLock.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import { temporaryOwner } from "../../util/temporaryOwner.ts";

/** A part of the cache home: one folder below it. */
interface PartDescription {
  /** For people. */
  readonly what: string;
  /** What is removed at a time: a single file, or a folder of it as a whole. Whatever is used, its time is changed. */
  readonly unit: "file" | "folder";
  /** Removed only when it is named: it takes long to make again, or cannot be made again without being asked for. */
  readonly precious?: true;
}

const parts: Readonly<Record<string, PartDescription>> = {
  archives: { what: "archives of images, unpacked to be read", unit: "file" },
  apptainer: { what: "Apptainer's working files", unit: "folder" },
  base: { what: "OS packages, and layers of bases", unit: "file" },
  buildroot: { what: "working files of epilogues", unit: "folder" },
  compiled: { what: "this program, compiled by Node.js", unit: "file" },
  downloads: { what: "archives of packages", unit: "file" },
  epilogue: { what: "caches that epilogues mount", unit: "folder", precious: true },
  facts: { what: "contents of images", unit: "file" },
  fragments: { what: "packages as layers", unit: "file" },
  index: { what: "copies of caches' indexes, and results of verification", unit: "file" },
  outputs: { what: "which directories are outputs of spacktainers", unit: "file", precious: true },
  rootfs: { what: "unpacked images", unit: "folder" },
  run: { what: "results of runtime checks, and working files of runs", unit: "folder", precious: true },
  spack: { what: "real Spack, and the packages that it built", unit: "folder", precious: true },
  verify: { what: "packages being verified", unit: "file" },
  writing: { what: "packages on their way into a cache", unit: "file" },
};

/** One thing that is kept: a file, or a folder as a whole. */
export interface KeptItem {
  readonly path: string;
  readonly bytes: number;
  /** When it was last used or written, in milliseconds since 1970. */
  readonly used: number;
}

/** A part, and what is in it. */
export interface KeptPart {
  readonly name: string;
  /** Undefined for a folder that this version does not know. */
  readonly what: string | undefined;
  /** Whether it is removed without being named. */
  readonly precious: boolean;
  readonly items: readonly KeptItem[];
}

/** Names of the parts that this version knows. */
export const keptPartNames: readonly string[] = Object.keys(parts);

/** What was used within the last hour may be in use. In milliseconds. */
const recentMs = 3_600_000;

/** What is examined. */
export interface KeptOptions {
  /** Only these parts; none: all that are there. */
  readonly names?: readonly string[];
  /** False: the bytes of folders are not counted, which takes long. */
  readonly isMeasured?: boolean;
}

/**
 * Looks at a cache home. What cannot be read is left out.
 *
 * @param home see `cacheHome`
 */
export async function readKeptParts(
  home: string,
  { names = [], isMeasured = true }: KeptOptions = {},
): Promise<readonly KeptPart[]> {
  const found = (await entriesOf(home)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const wanted = found.filter((name) => names.length === 0 || names.includes(name)).sort();
  return Promise.all(
    wanted.map(async (name): Promise<KeptPart> => {
      const facts = Object.hasOwn(parts, name) ? parts[name] : undefined;
      const unit = facts?.unit ?? "folder";
      return {
        name,
        what: facts?.what,
        precious: facts === undefined || facts.precious === true,
        items: await itemsIn(join(home, name), unit, isMeasured),
      };
    }),
  );
}

async function itemsIn(
  folder: string,
  unit: PartDescription["unit"],
  isMeasured: boolean,
): Promise<readonly KeptItem[]> {
  const items: KeptItem[] = [];
  for (const entry of await entriesOf(folder)) {
    // Locks, and what is unfinished, are of those who are at work.
    if (entry.name.endsWith(".lock") || temporaryOwner(entry.name) !== undefined) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory() && unit === "file") items.push(...(await itemsIn(path, unit, isMeasured)));
    else {
      const facts = await lstat(path).catch(() => undefined);
      if (facts === undefined) continue;
      const bytes = !entry.isDirectory() ? facts.size : isMeasured ? await bytesBelow(path) : 0;
      items.push({ path, bytes, used: facts.mtimeMs });
    }
  }
  return items;
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(path);
    else
      bytes += await lstat(path).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return bytes;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

/** What was removed. */
export interface Removed {
  readonly items: number;
  readonly bytes: number;
}

/**
 * The items of parts that were not used for so long and that nobody uses now: neither within the last hour, nor as the root of a
 * program that runs.
 *
 * @param unusedMs in milliseconds
 */
export async function unusedItems(
  kept: readonly KeptPart[],
  unusedMs: number,
  clock: Clock = systemClock,
): Promise<readonly KeptItem[]> {
  const now = clock();
  const mounts = await mountTables();
  const old = kept
    .flatMap(({ items }) => items)
    .filter(({ used }) => {
      // A use in the future was recorded when the clock was wrong: it does not protect for ever.
      const age = Math.abs(now - used);
      return age >= unusedMs && age >= recentMs;
    });
  return old.filter(
    ({ path }) => !mounts.some((table) => table.includes(path.slice(path.lastIndexOf("/") + 1))),
  );
}

/** Removes items; what cannot be removed, and what another process just works on, stays. */
export async function removeItems(items: readonly KeptItem[]): Promise<Removed> {
  let removed = 0;
  let bytes = 0;
  for (const { path, bytes: size, used } of items) {
    const facts = await lstat(path).catch(() => undefined);
    // Somebody has begun to use it.
    if (facts?.mtimeMs !== used) continue;
    const at = path.lastIndexOf("/");
    if ((await livingHolder(`${path.slice(0, at)}/.${path.slice(at + 1)}.lock`)) !== undefined) continue;
    if (!(await removeIfPossible(path))) continue;
    removed++;
    bytes += size;
  }
  return { items: removed, bytes };
}

/** What was not used for so long is removed without being asked for. In milliseconds. */
const keptFor = 60 * 86_400_000;
/** How often that is checked. */
const tidiedEvery = 86_400_000;

/**
 * Removes what was not used for two months, at most once a day. To be called where something is made; it never fails.
 *
 * @param home see `cacheHome`
 */
export async function tidyKept(home: string, clock: Clock = systemClock): Promise<void> {
  const marker = join(home, ".tidied");
  const age = await ageOfFile(marker, clock);
  // A marker from the future is of a time when the clock was wrong.
  if (age >= 0 && age < tidiedEvery) return;
  // First, so that others who come now do not look as well.
  const isMarked = await writeFileAtomically(marker, "").then(
    () => true,
    () => false,
  );
  if (!isMarked) return;
  const kept = await readKeptParts(home, { isMeasured: false });
  await removeItems(
    await unusedItems(
      kept.filter(({ precious }) => !precious),
      keptFor,
      clock,
    ),
  );
}

/** The tables of mounts of all processes that let us see theirs: roots of running containers are named there. */
async function mountTables(): Promise<readonly string[]> {
  const tables = new Set<string>();
  for (const name of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/mountinfo`, "utf8").catch(() => undefined);
    if (text !== undefined) tables.add(text);
  }
  return [...tables];
}
