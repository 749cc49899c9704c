/** Which GNU C library a base has, and which bases have a newer one. */
import type { Inventory, InventoryEntry } from "../archive/inventory.ts";
import type { BasePackage } from "./types.ts";

/** Where distributions keep `libc.so.6`, by preference; `lib` and `lib64` may be links to those in `usr`. */
const libraryPattern = /^(?:usr\/)?lib(?:64)?\/(?:[a-z0-9_]+-linux-gnu[a-z0-9_]*\/)?libc\.so\.6$/;

/**
 * The version of the GNU C library, such as `2.36`: of the package libc6 where there is one, else the newest symbol
 * version that `libc.so.6` defines.
 * @returns undefined where there is no GNU C library
 */
export function libcVersionOf(inventory: Inventory, packages: readonly BasePackage[]): string | undefined {
  const libc6 = packages.find(({ name }) => name === "libc6");
  const upstream = libc6 === undefined ? undefined : /^(?:\d+:)?(\d+\.\d+)/.exec(libc6.version)?.[1];
  if (upstream !== undefined) return upstream;
  const byPath = new Map(inventory.entries.map((entry) => [entry.path, entry]));
  const versions = inventory.entries
    .filter(({ path }) => libraryPattern.test(path))
    .flatMap((entry) => followed(entry, byPath)?.elf?.versionsDefined ?? [])
    .flatMap((version) => /^GLIBC_(\d+\.\d+)(?:\.\d+)?$/.exec(version)?.[1] ?? [])
    .sort(compareLibcVersions);
  return versions.at(-1);
}

/** The file a link in the same folder leads to (`libc.so.6 -> libc-2.31.so`). */
function followed(
  entry: InventoryEntry,
  byPath: ReadonlyMap<string, InventoryEntry>,
): InventoryEntry | undefined {
  if (entry.type === "file" || entry.target === undefined) return entry;
  if (entry.type === "hardlink") return byPath.get(entry.target);
  return byPath.get(`${entry.path.slice(0, entry.path.lastIndexOf("/") + 1)}${entry.target}`);
}

/** Orders versions of the GNU C library: numbers separated by points. */
export function compareLibcVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Releases by their C library, oldest first. */
const releases: readonly (readonly [version: string, name: string])[] = [
  ["2.31", "debian: bullseye"],
  ["2.35", "ubuntu: jammy"],
  ["2.36", "debian: bookworm"],
  ["2.39", "ubuntu: noble"],
  ["2.41", "debian: trixie"],
];

/** What to do about a base whose C library is too old: one sentence, with a release that has what is needed. */
export function newerLibcHint(required: string): string {
  const hint = `a base with glibc ${required} or newer is needed`;
  const fitting = releases.find(([version]) => compareLibcVersions(version, required) >= 0);
  return fitting === undefined ? hint : `${hint}, such as ${fitting[1]}`;
}
