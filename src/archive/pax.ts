/** PAX extended header records (POSIX.1-2001, pax, "Extended Header"): `<length> <key>=<value>\n`, repeated. */
import { nameOfBytes } from "./names.ts";
import { TarHeaderError } from "./tarHeader.ts";

/** What PAX headers may override. `null`: an empty value, which takes back what a global header said. */
export interface PaxValues {
  path?: string | null;
  linkpath?: string | null;
  size?: number | null;
  uid?: number | null;
  gid?: number | null;
  mtime?: number | null;
  /** Extended attributes, by name. */
  xattrs?: ReadonlyMap<string, Buffer>;
}

/** Keys of extended attributes begin so (GNU tar, star, libarchive, Go). */
export const xattrKey = "SCHILY.xattr.";

/** As libarchive writes them: the name escaped as in URLs, the value in Base64. */
const libarchiveXattrKey = "LIBARCHIVE.xattr.";

/** A name with `%XX` in it, or nothing where it is not well formed. */
function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return "";
  }
}

/**
 * Reads the records of one extended header. Keys we have no use for (names of owners, other times) are skipped.
 * @throws TarHeaderError when the records are malformed, or say that the file is sparse or in an unknown character set
 */
export function parsePax(bytes: Buffer): PaxValues {
  const values: PaxValues = {};
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === 0) break;
    const blank = bytes.indexOf(0x20, at);
    if (blank < 0 || blank - at > 8) throw new TarHeaderError("an extended header has no record length");
    const length = decimal(bytes.toString("latin1", at, blank));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, blank + 1);
    if (end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a)
      throw new TarHeaderError("an extended header's record is malformed");
    assign(values, bytes.toString("latin1", blank + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return values;
}

function assign(values: PaxValues, key: string, value: Buffer): void {
  switch (key) {
    case "path":
    case "linkpath":
      values[key] = value.length === 0 ? null : nameOfBytes(value);
      return;
    case "size":
    case "uid":
    case "gid":
      values[key] = value.length === 0 ? null : decimal(value.toString("latin1"));
      return;
    case "mtime":
      values.mtime = value.length === 0 ? null : seconds(value.toString("latin1"));
      return;
    case "hdrcharset": {
      // Names are taken as bytes in either case, so both mean the same to us.
      const charset = value.toString("latin1");
      if (charset !== "" && charset !== "BINARY" && charset !== "ISO-IR 10646 2000 UTF-8")
        throw new TarHeaderError("an extended header is in an unknown character set");
      return;
    }
    default:
      if (key.startsWith(xattrKey) && key.length > xattrKey.length)
        values.xattrs = new Map([...(values.xattrs ?? []), [key.slice(xattrKey.length), Buffer.from(value)]]);
      if (key.startsWith(libarchiveXattrKey)) {
        const name = unescaped(key.slice(libarchiveXattrKey.length));
        // bsdtar writes both forms: what this one cannot say differently need not be taken again.
        if (name !== "" && values.xattrs?.has(name) !== true)
          values.xattrs = new Map([
            ...(values.xattrs ?? []),
            [name, Buffer.from(value.toString("latin1"), "base64")],
          ]);
      }
      if (key.startsWith("GNU.sparse."))
        throw new TarHeaderError("it has a sparse file, which is not supported");
  }
}

function decimal(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarHeaderError("a number in an extended header is malformed");
  return value;
}

/** A decimal fraction of seconds, rounded down to whole seconds. */
function seconds(text: string): number {
  if (!/^-?[0-9]{1,15}(?:\.[0-9]{0,30})?$/.test(text))
    throw new TarHeaderError("a time in an extended header is malformed");
  return Math.floor(Number(text));
}

/** One record. Its length counts itself, so it is found by trying. */
export function formatPaxRecord(key: string, value: Uint8Array | string): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  const rest = key.length + bytes.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, "latin1"), bytes, Buffer.from("\n")]);
}
