/** Archives that ADD unpacks: tar, as it is or compressed by gzip, xz or zstd. */
import { compressionOf, decompressStream } from "../archive/decompress.ts";
import { type Entry, type EntryStream, imageMtime } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";
import { readTar } from "../archive/readTar.ts";
import { parseHeader } from "../archive/tarHeader.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { directoryOf, type LayerDraft, type Owner } from "./layerDraft.ts";

/** An archive, to be read as often as needed. */
export interface OpenedArchive {
  readonly place: Place;
  entries(): EntryStream;
}

/** Limits for archives that somebody put beside a definition. */
const limits = { entries: 1_000_000, totalBytes: 2 ** 40 };

/**
 * Finds out whether a file is an archive that ADD unpacks.
 *
 * @param place of the file, for errors
 * @returns undefined if it is not one
 * @throws SpacktainersError NOT_SUPPORTED for a compression that is not read here
 */
export async function openAddedArchive(
  open: () => AsyncIterable<Uint8Array>,
  place: Place,
): Promise<OpenedArchive | undefined> {
  const head = await firstBytes(open(), 18);
  const compression = compressionOf(head);
  if (compression === "bzip2")
    throw new SpacktainersError("NOT_SUPPORTED", "ADD cannot unpack what bzip2 compressed", {
      place,
      hint: "compress it by gzip, xz or zstd",
    });
  if (compression === "lzma" || compression === "compress") return undefined;
  try {
    const block = await firstBytes(decompressStream(open(), { where: place }), 512);
    if (block.length < 512 || block.every((byte) => byte === 0)) return undefined;
    parseHeader(block);
  } catch {
    return undefined;
  }
  return {
    place,
    entries: () =>
      readTar(decompressStream(open(), { where: place }), {
        where: place,
        absolute: "relative",
        end: "optional",
        limits,
      }),
  };
}

async function firstBytes(chunks: AsyncIterable<Uint8Array>, wanted: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= wanted) break;
  }
  return Buffer.concat(parts).subarray(0, wanted);
}

/**
 * Puts an archive's files below a directory.
 *
 * @param directory real path in the image
 * @param owner of everything; undefined: as the archive says
 * @throws SpacktainersError of reading; ARCHIVE_INVALID for a hard link to what is not in the archive
 */
export async function unpackInto(
  draft: LayerDraft,
  archive: OpenedArchive,
  directory: string,
  owner: Owner | undefined,
): Promise<void> {
  /** By number of the entry: where it goes. */
  const places: (string | undefined)[] = [];
  const winners = new Map<string, number>();
  let index = 0;
  for await (const entry of archive.entries()) {
    const path = placeOf(draft, directory, entry.path);
    places.push(path);
    const number = index++;
    if (path === "") continue;
    draft.makeDirectories(directoryOf(path), owner ?? { uid: 0, gid: 0 });
    const { uid, gid, mode } = entry;
    const base = { path, mode, mtime: imageMtime, ...(owner ?? { uid, gid }) };
    if (entry.type === "directory") {
      const there = draft.tree.at(path);
      // A link to a folder stands for it.
      if (there === undefined || there.type === "directory") draft.put({ ...base, type: "directory" });
      winners.delete(path);
      continue;
    }
    winners.set(path, number);
    if (entry.type === "symlink") draft.put({ ...base, type: "symlink", target: entry.target });
    else if (entry.type === "hardlink") {
      const target = placeOf(draft, directory, entry.target);
      if (draft.at(target)?.type !== "file" && draft.at(target)?.type !== "hardlink")
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `the hard link ${printable(entry.path)} is to ${printable(entry.target)}, which is not an earlier file`,
          { place: archive.place },
        );
      draft.put({ ...base, type: "hardlink", target });
    } else draft.put({ ...base, type: "file", size: entry.size, open: undefined });
  }
  draft.addStream(async function* contents() {
    let at = 0;
    for await (const entry of archive.entries()) {
      const number = at++;
      const path = places[number];
      if (entry.type !== "file" || path === undefined || winners.get(path) !== number) continue;
      const drafted = draft.at(path);
      if (drafted?.type !== "file" || drafted.open !== undefined) continue;
      const { mode, mtime, uid, gid } = drafted;
      yield {
        type: "file",
        path,
        mode,
        mtime,
        uid,
        gid,
        size: entry.size,
        content: entry.content,
      } satisfies Entry;
    }
  });
}

/** Links among the directories are followed within the image; the last part is the entry's own. */
function placeOf(draft: LayerDraft, directory: string, path: string): string {
  const whole = directory === "" ? path : `${directory}/${path}`;
  const parent = draft.realPath(directoryOf(whole));
  const name = whole.slice(whole.lastIndexOf("/") + 1);
  return parent === "" ? name : `${parent}/${name}`;
}
