/**
 * Names as bytes and as strings, and the rules for paths inside archives.
 *
 * File names are bytes. Those that are UTF-8 become the ordinary string; every other byte becomes a lone surrogate
 * U+DC80…U+DCFF (PEP 383, "surrogateescape"), so that bytes → string → bytes is the identity.
 */
import { SpacktainersError } from "../util/errors.ts";
import { escapeControls } from "../util/escapeControls.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loneSurrogate = /[\ud800-\udfff]/u;

/** The string for a name's bytes; never fails (see the top of this file). */
export function nameOfBytes(bytes: Uint8Array): string {
  let ascii = true;
  // By index: the iterator of a buffer takes several times as long.
  for (let at = 0; ascii && at < bytes.length; at++) ascii = (bytes[at] ?? 0) < 0x80;
  if (ascii) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  try {
    return utf8.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

/**
 * The bytes of a name made by {@link nameOfBytes} (or of any string without other lone surrogates).
 * @throws RangeError for a lone surrogate that stands for no byte.
 */
export function bytesOfName(name: string): Buffer {
  if (!loneSurrogate.test(name)) return Buffer.from(name, "utf8");
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(Buffer.of(code - 0xdc00));
    else if (code >= 0xd800 && code <= 0xdfff) throw new RangeError("a lone surrogate is not a file name");
    else parts.push(Buffer.from(character, "utf8"));
  }
  return Buffer.concat(parts);
}

/** What to hand to `node:fs` for a path that may have bytes that are not UTF-8: the string itself where that is enough. */
export function fileSystemPath(path: string): string | Buffer {
  return loneSurrogate.test(path) ? bytesOfName(path) : path;
}

/** Length in bytes of the UTF-8 sequence that begins at `at`, or 0 when there is no valid one (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  const continues = (index: number): boolean => ((bytes[at + index] ?? 0) & 0xc0) === 0x80;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

function decodeEscaping(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at++;
    } else {
      text += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** How {@link archivePath} treats a leading slash. */
export type AbsolutePaths = "refuse" | "relative";

/**
 * The canonical form of a path found in an archive: relative, no empty or `.` components, no trailing slash; empty for
 * the root itself.
 * @param name as it stands in the archive
 * @param absolute whether a leading slash is refused or dropped
 * @throws SpacktainersError ARCHIVE_UNSAFE for `..`, NUL, or a refused leading slash
 */
export function archivePath(name: string, absolute: AbsolutePaths): string {
  if (name.includes("\0")) throw unsafe(name, "has a NUL byte in it");
  if (name.startsWith("/") && absolute === "refuse") throw unsafe(name, "is absolute");
  if (!untidy.test(name)) return name;
  const components = name.split("/").filter((part) => part !== "" && part !== ".");
  if (components.includes("..")) throw unsafe(name, "leads out of the archive");
  return components.join("/");
}

/** Matches whatever {@link archivePath} has to look at closely: a leading, trailing or double slash, `.` and `..`. */
const untidy = /^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/;

function unsafe(name: string, what: string): SpacktainersError {
  return new SpacktainersError("ARCHIVE_UNSAFE", `the path ${printable(name)} ${what}`, {
    hint: "the archive is damaged or hostile; nothing of it was used",
  });
}

/** A foreign name for a message: quoted, control characters escaped, at most 200 characters. */
export function printable(name: string): string {
  return escapeControls(JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name));
}

/** The directory part of an entry's path; empty for a top-level name. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The last component of an entry's path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path of a name in a directory; either may be empty, for the root. */
export function joinEntryPath(directory: string, name: string): string {
  return directory === "" || name === "" ? directory + name : `${directory}/${name}`;
}
