/**
 * What a command changed, as it goes into a layer: the same commands give the same layer. Times are those of everything that spacktainers writes;
 * what package managers leave behind for their own use, and what is of one machine, stays out.
 */

import { contentOf } from "../archive/content.ts";
import { type Entry, type EntryStream, imageMtime } from "../archive/entry.ts";
import { layerMeaning } from "../archive/unpackEntries.ts";
import type { Owner } from "./layerDraft.ts";

/** Files that stay out: lists and archives that were fetched, logs, copies of before, caches that are made again. */
const leftOut: readonly RegExp[] = [
  /^var\/lib\/apt\/lists\/(?!(?:partial|auxfiles)$)/,
  /^var\/lib\/apt\/(?:daily_lock|periodic)/,
  /^var\/cache\/apt\/(?:archives\/.+\.deb|archives\/lock|pkgcache\.bin|srcpkgcache\.bin)$/,
  /^var\/cache\/(?:ldconfig|debconf\/.+-old|man\/.+|dnf\/.+|yum\/.+|apk\/.+)(?:$|\/)/,
  /^var\/log\/(?:apt\/.+|dpkg\.log|alternatives\.log|bootstrap\.log|faillog|lastlog|fontconfig\.log|dnf.*|yum.*|hawkey.*)$/,
  /^var\/lib\/dpkg\/(?:.+-old|lock|lock-frontend|triggers\/Lock)$/,
  /^var\/lib\/dbus\/machine-id$/,
  /^etc\/(?:passwd-|group-|shadow-|gshadow-|subuid-|subgid-|\.pwd\.lock)$/,
  /^run\/(?:mount|lock|user)(?:$|\/)/,
];

/** Numbers of one machine: an empty file lets each make its own. */
const machineId = "etc/machine-id";

/**
 * Settles changes.
 *
 * @param owners of files of the image below, where the machine could not tell whom the changed ones belong to
 */
export async function* settleChanges(
  changes: EntryStream,
  owners: ReadonlyMap<string, Owner> | undefined,
): EntryStream {
  for await (const entry of changes) {
    if (
      layerMeaning(entry.path).kind === "entry" &&
      leftOut.some((pattern) => pattern.test(entry.path)) &&
      entry.type !== "directory"
    )
      continue;
    if (entry.type === "hardlink" && leftOut.some((pattern) => pattern.test(entry.target))) continue;
    if (
      entry.type === "directory" &&
      /^(?:var\/cache\/ldconfig|run\/(?:mount|lock|user))(?:$|\/)/.test(entry.path)
    )
      continue;
    const owner = owners?.get(entry.path);
    const settled = { ...entry, mtime: imageMtime, ...owner } as Entry;
    yield entry.path === machineId && settled.type === "file"
      ? { ...settled, size: 0, content: contentOf(new Uint8Array()) }
      : settled;
  }
}
