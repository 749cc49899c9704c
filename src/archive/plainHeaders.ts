/** Headers of entries that need nothing but one ustar block: nearly all of them, by the hundred thousand. */
import type { Entry } from "./entry.ts";
import { blockSize, formatHeader, octal, ustarLimits } from "./tarHeader.ts";

/**
 * Writes the header of an entry if one ustar block can hold it; the same bytes as `formatEntryHeader` gives.
 * @param into has room for a block at `at`
 * @returns false if it cannot; nothing is written then
 */
export type WritePlainHeader = (entry: Entry, into: Buffer, at: number) => boolean;

/** A header with everything but names and size. */
interface Template {
  readonly block: Buffer;
  /** Of its bytes, with those of the size left out. */
  readonly sum: number;
}

/** Entries differ in few ways; where times differ, templates are not kept for all of them. */
const mostTemplates = 64;
const sizeStart = 124;
const sizeDigits = 11;
const ascii = /^[\0-\x7f]*$/;
const typeFlags = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;

/** Opens a writer, which keeps what headers have in common. */
export function openPlainHeaders(): WritePlainHeader {
  const templates = new Map<string, Template>();
  const templateOf = ({ type, mode, uid, gid, mtime }: Entry): Template => {
    const key = `${type} ${mode} ${uid} ${gid} ${mtime}`;
    const known = templates.get(key);
    if (known !== undefined) return known;
    if (templates.size >= mostTemplates) templates.clear();
    const block = Buffer.alloc(blockSize);
    const nothing = new Uint8Array();
    formatHeader(
      { name: nothing, mode: mode & 0o7777, uid, gid, size: 0, mtime, type: typeFlags[type] },
      block,
    );
    block.fill(0x20, 148, 156);
    let sum = 0;
    for (const [at, byte] of block.entries()) if (at < sizeStart || at >= sizeStart + sizeDigits) sum += byte;
    const made = { block, sum };
    templates.set(key, made);
    return made;
  };
  return (entry, into, at) => {
    const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
    const link = entry.type === "symlink" || entry.type === "hardlink" ? entry.target : "";
    const size = entry.type === "file" ? entry.size : 0;
    if (link.length > 100 || size > ustarLimits.size || entry.xattrs !== undefined) return false;
    if (!fits(entry.uid, ustarLimits.id) || !fits(entry.gid, ustarLimits.id)) return false;
    if (!fits(entry.mtime, ustarLimits.time) || !ascii.test(path) || !ascii.test(link)) return false;
    // The last slash that leaves a prefix of at most 155 bytes and a name that is not empty.
    const slash = path.length <= 100 ? 0 : path.lastIndexOf("/", Math.min(155, path.length - 2));
    if (path.length > 100 && (path.length > 256 || slash <= 0 || path.length - slash - 1 > 100)) return false;
    const template = templateOf(entry);
    template.block.copy(into, at);
    const name = slash === 0 ? path : path.slice(slash + 1);
    into.write(name, at, "latin1");
    let sum = template.sum + sumOf(name);
    if (slash > 0) {
      const prefix = path.slice(0, slash);
      into.write(prefix, at + 345, "latin1");
      sum += sumOf(prefix);
    }
    if (link !== "") {
      into.write(link, at + 157, "latin1");
      sum += sumOf(link);
    }
    octal(into, size, at + sizeStart, sizeDigits + 1);
    for (let digit = 0; digit < sizeDigits; digit++) sum += into[at + sizeStart + digit] ?? 0;
    octal(into, sum, at + 148, 7);
    into[at + 154] = 0;
    return true;
  };
}

function fits(value: number, most: number): boolean {
  return value >= 0 && value <= most;
}

function sumOf(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum += text.charCodeAt(at);
  return sum;
}
