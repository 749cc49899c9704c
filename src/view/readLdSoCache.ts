/** Reading `/etc/ld.so.cache`; the format is described in `ldSoCache.ts`. */
import { SpacktainersError } from "../util/errors.ts";
import type { CachedLibrary } from "./ldSoCache.ts";

const newMagic = "glibc-ld.so.cache1.1";
const oldMagic = "ld.so-1.7.0";
const headerSize = 48;
const recordSize = 24;
const oldHeaderSize = 16;
const oldRecordSize = 12;

/**
 * Reads the cache of the dynamic loader: the new format, alone or behind the old one (as `ldconfig` wrote it until glibc 2.32).
 *
 * @param bytes the whole file, of a little-endian machine
 * @param file for places
 * @returns libraries in the file's order, which is the loader's
 * @throws SpacktainersError ARCHIVE_INVALID if it is not one, or names something outside of itself
 */
export function readLdSoCache(bytes: Buffer, file: string): readonly CachedLibrary[] {
  const invalid = (what: string): SpacktainersError =>
    new SpacktainersError("ARCHIVE_INVALID", `the cache of the dynamic loader ${what}`, { place: { file } });
  let start = 0;
  if (bytes.subarray(0, oldMagic.length).toString("latin1") === oldMagic && bytes.length >= oldHeaderSize) {
    const end = oldHeaderSize + bytes.readUInt32LE(12) * oldRecordSize;
    start = Math.ceil(end / 8) * 8;
  }
  if (bytes.subarray(start, start + newMagic.length).toString("latin1") !== newMagic)
    throw invalid("is not of a kind that is known");
  if (bytes.length < start + headerSize) throw invalid("is cut off");
  const count = bytes.readUInt32LE(start + 20);
  if (count > (bytes.length - start - headerSize) / recordSize) throw invalid("is cut off");
  const stringAt = (offset: number): string => {
    const from = start + offset;
    const end = from < bytes.length ? bytes.indexOf(0, from) : -1;
    if (end < 0 || end - from > 4096) throw invalid("has a name outside of itself");
    return bytes.toString("latin1", from, end);
  };
  const libraries: CachedLibrary[] = [];
  for (let at = start + headerSize; libraries.length < count; at += recordSize)
    libraries.push({
      flags: bytes.readInt32LE(at),
      name: stringAt(bytes.readUInt32LE(at + 4)),
      path: stringAt(bytes.readUInt32LE(at + 8)),
    });
  return libraries;
}
