import { SpacktainersError } from "../util/errors.ts";
import type { Entry, EntryStream } from "./entry.ts";
import { bytesOfName, printable } from "./names.ts";
import { formatPaxRecord, xattrKey } from "./pax.ts";
import { openPlainHeaders } from "./plainHeaders.ts";
import { blockSize, formatHeader, ustarLimits } from "./tarHeader.ts";

/** Size in bytes of the end of an archive: two blocks of zeros. */
export const trailerSize = 2 * blockSize;

/** Small pieces are gathered in buffers of this size; pieces at least a quarter of it are passed on as they are. */
const gatherSize = 128 * 1024;

/**
 * Writes entries as a tar stream: ustar, with a PAX header only before entries that need one (long or non-ASCII names,
 * sizes from 8 GiB, large owners, times before 1970, extended attributes). The bytes depend on the entries alone; owner names are left empty.
 *
 * @param entries in the order wanted
 * @param options `trailer`: whether to end with the two blocks of zeros that end an archive
 * @returns the archive in pieces of any size; a piece is never touched again once it was handed out
 * @throws SpacktainersError ARCHIVE_INVALID when a file's content is not as long as it says
 */
export async function* writeTar(
  entries: EntryStream,
  options: { readonly trailer: boolean },
): AsyncGenerator<Uint8Array, void, void> {
  let gather = Buffer.allocUnsafe(gatherSize);
  let used = 0;
  const writePlainHeader = openPlainHeaders();
  for await (const entry of entries) {
    if (used + blockSize > gather.length) {
      yield gather.subarray(0, used);
      gather = Buffer.allocUnsafe(gatherSize);
      used = 0;
    }
    if (writePlainHeader(entry, gather, used)) used += blockSize;
    else {
      const header = formatEntryHeader(entry);
      if (used + header.length > gather.length) {
        if (used > 0) yield gather.subarray(0, used);
        gather = Buffer.allocUnsafe(Math.max(gatherSize, header.length));
        used = 0;
      }
      used += header.copy(gather, used);
    }
    if (entry.type !== "file") continue;
    let written = 0;
    for await (const chunk of entry.content) {
      written += chunk.length;
      if (chunk.length >= gatherSize / 4) {
        if (used > 0) {
          yield gather.subarray(0, used);
          gather = Buffer.allocUnsafe(gatherSize);
          used = 0;
        }
        yield chunk;
        continue;
      }
      if (used + chunk.length > gather.length) {
        yield gather.subarray(0, used);
        gather = Buffer.allocUnsafe(gatherSize);
        used = 0;
      }
      gather.set(chunk, used);
      used += chunk.length;
    }
    if (written !== entry.size)
      throw new SpacktainersError(
        "ARCHIVE_INVALID",
        `${printable(entry.path)} has ${written} bytes where ${entry.size} were announced`,
      );
    const padding = (blockSize - (written % blockSize)) % blockSize;
    if (used + padding > gather.length) {
      yield gather.subarray(0, used);
      gather = Buffer.allocUnsafe(gatherSize);
      used = 0;
    }
    gather.fill(0, used, used + padding);
    used += padding;
  }
  if (used > 0) yield gather.subarray(0, used);
  if (options.trailer) yield Buffer.alloc(trailerSize);
}

const typeFlags = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;

/**
 * The header blocks of one entry: one block, or three and more when it needs a PAX header.
 * @returns a fresh buffer, a multiple of 512 bytes
 */
export function formatEntryHeader(entry: Entry): Buffer {
  const path = bytesOfName(entry.type === "directory" ? `${entry.path}/` : entry.path);
  const link =
    entry.type === "symlink" || entry.type === "hardlink" ? bytesOfName(entry.target) : Buffer.alloc(0);
  const size = entry.type === "file" ? entry.size : 0;
  const records: Buffer[] = [];
  const split = isAscii(path) ? splitPath(path) : undefined;
  if (split === undefined) records.push(formatPaxRecord("path", path));
  if (link.length > 100 || !isAscii(link)) records.push(formatPaxRecord("linkpath", link));
  if (size > ustarLimits.size) records.push(formatPaxRecord("size", String(size)));
  for (const [name, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))
    records.push(formatPaxRecord(`${xattrKey}${name}`, value));
  const uid = limited("uid", entry.uid, ustarLimits.id, records);
  const gid = limited("gid", entry.gid, ustarLimits.id, records);
  const mtime = limited("mtime", entry.mtime, ustarLimits.time, records);
  const fields = {
    ...(split ?? { name: asciiStandIn(path) }),
    linkName: asciiStandIn(link),
    mode: entry.mode & 0o7777,
    uid,
    gid,
    size: size > ustarLimits.size ? 0 : size,
    mtime,
    type: typeFlags[entry.type],
  };
  if (records.length === 0) {
    const header = Buffer.allocUnsafe(blockSize);
    formatHeader(fields, header);
    return header;
  }
  // Bytes that are not UTF-8 are allowed in records only under this character set; it must come first.
  if (!isUtf8(path) || !isUtf8(link)) records.unshift(formatPaxRecord("hdrcharset", "BINARY"));
  const body = Buffer.concat(records);
  const room = Math.ceil(body.length / blockSize) * blockSize;
  const header = Buffer.alloc(2 * blockSize + room);
  formatHeader(
    {
      name: Buffer.from("PaxHeader/entry"),
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: body.length,
      mtime: 0,
      type: "x",
    },
    header.subarray(0, blockSize),
  );
  body.copy(header, blockSize);
  formatHeader(fields, header.subarray(blockSize + room));
  return header;
}

function limited(key: string, value: number, most: number, records: Buffer[]): number {
  if (value >= 0 && value <= most) return value;
  records.push(formatPaxRecord(key, String(value)));
  return 0;
}

/** Fits a path into the name (100 bytes) and prefix (155 bytes) fields, or undefined when it does not fit. */
function splitPath(path: Buffer): { name: Buffer; prefix?: Buffer } | undefined {
  if (path.length <= 100) return { name: path };
  if (path.length > 256) return undefined;
  // The last slash that leaves a prefix of at most 155 bytes and a name that is not empty.
  const slash = path.lastIndexOf(0x2f, Math.min(155, path.length - 2));
  if (slash <= 0 || path.length - slash - 1 > 100) return undefined;
  return { name: path.subarray(slash + 1), prefix: path.subarray(0, slash) };
}

/** What programs that do not know PAX see: the beginning of the name, other than ASCII replaced. */
function asciiStandIn(bytes: Buffer): Buffer {
  if (isAscii(bytes)) return bytes.subarray(0, 100);
  const name = Buffer.from(bytes.subarray(0, 100));
  for (let at = 0; at < name.length; at++) if ((name[at] ?? 0) >= 0x80) name[at] = 0x5f;
  return name;
}

function isAscii(bytes: Buffer): boolean {
  // By index: the iterator of a buffer takes several times as long.
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] ?? 0) >= 0x80) return false;
  return true;
}

function isUtf8(bytes: Buffer): boolean {
  return isAscii(bytes) || Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}
