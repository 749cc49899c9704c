/**
 * One 512-byte tar header block, read and written.
 *
 * Formats: POSIX.1-1988 ustar, the GNU variant (magic `ustar  `), the star prefix, and the old V7 form.
 */
import { nameOfBytes } from "./names.ts";

/** Size of a tar block in bytes. */
export const blockSize = 512;

/** The fields of a header block that matter to us, before PAX and GNU extensions. */
export interface TarHeader {
  /** The whole name, prefix included. */
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  /** The type flag, one character; `"0"` also for the old NUL. */
  readonly type: string;
}

/** Why a block is not a header. */
export class TarHeaderError extends Error {
  override readonly name = "TarHeaderError";
}

/**
 * Reads a header block and verifies its checksum.
 * @param block exactly 512 bytes, not all zero
 * @throws TarHeaderError with a short reason
 */
export function parseHeader(block: Buffer): TarHeader {
  verifyChecksum(block);
  const posix = block.toString("latin1", 257, 263) === "ustar\0";
  const star = posix && block.toString("latin1", 508, 512) === "tar\0";
  const own = text(block, 0, 100);
  const prefix = posix ? text(block, 345, star ? 131 : 155) : "";
  const flag = block[156] ?? 0;
  return {
    name: prefix === "" ? own : `${prefix}/${own}`,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8, "mode") & 0o7777,
    uid: number(block, 108, 8, "user"),
    gid: number(block, 116, 8, "group"),
    size: number(block, 124, 12, "size"),
    mtime: number(block, 136, 12, "time"),
    type: flag === 0 ? "0" : String.fromCharCode(flag),
  };
}

/** True when all bytes of a block are zero. */
export function isZero(block: Buffer): boolean {
  for (let at = 0; at < block.length; at++) if (block[at] !== 0) return false;
  return true;
}

/** Old writers summed signed bytes; both sums are accepted, as everywhere. */
function verifyChecksum(block: Buffer): void {
  const stored = number(block, 148, 8, "checksum");
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0;
  for (let at = 156; at < blockSize; at++) sum += block[at] ?? 0;
  if (sum === stored) return;
  let signed = sum;
  for (let at = 0; at < blockSize; at++) {
    if ((at < 148 || at >= 156) && (block[at] ?? 0) >= 0x80) signed -= 256;
  }
  if (signed !== stored) throw new TarHeaderError("the header's checksum is wrong");
}

function text(block: Buffer, start: number, length: number): string {
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  return nameOfBytes(block.subarray(start, end));
}

/** A number in octal digits (blanks around, NUL or blank after), or in GNU's base 256 (high bit of the first byte set). */
function number(block: Buffer, start: number, length: number, field: string): number {
  const first = block[start] ?? 0;
  if (first >= 0x80) return base256(block, start, length, field);
  const end = start + length;
  let at = start;
  while (at < end && block[at] === 0x20) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; at < end; at++) {
    const byte = block[at];
    if (byte === 0) break;
    if (byte !== 0x20) throw new TarHeaderError(`the ${field} field is not a number`);
  }
  return value;
}

function base256(block: Buffer, start: number, length: number, field: string): number {
  const first = block[start] ?? 0;
  const negative = first === 0xff;
  if (!negative && first !== 0x80) throw new TarHeaderError(`the ${field} field is out of range`);
  let value = negative ? -1n : 0n;
  for (let at = start + 1; at < start + length; at++) value = (value << 8n) | BigInt(block[at] ?? 0);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw new TarHeaderError(`the ${field} field is out of range`);
  return result;
}

/** Largest values that fit the octal fields of a ustar header. */
export const ustarLimits = { id: 0o7777777, size: 0o77777777777, time: 0o77777777777 } as const;

/** Fields for {@link formatHeader}; all must fit (see {@link ustarLimits}). */
export interface UstarFields {
  /** At most 100 bytes. */
  readonly name: Uint8Array;
  /** At most 155 bytes. */
  readonly prefix?: Uint8Array;
  /** At most 100 bytes. */
  readonly linkName?: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
}

/** Writes a ustar header with its checksum into `into` (512 bytes, any content). User and group names stay empty. */
export function formatHeader(fields: UstarFields, into: Buffer): void {
  into.fill(0, 0, blockSize);
  into.set(fields.name, 0);
  octal(into, fields.mode, 100, 8);
  octal(into, fields.uid, 108, 8);
  octal(into, fields.gid, 116, 8);
  octal(into, fields.size, 124, 12);
  octal(into, fields.mtime, 136, 12);
  into.fill(0x20, 148, 156);
  into[156] = fields.type.charCodeAt(0);
  if (fields.linkName !== undefined) into.set(fields.linkName, 157);
  into.set(ustarMagic, 257);
  octal(into, 0, 329, 8);
  octal(into, 0, 337, 8);
  if (fields.prefix !== undefined) into.set(fields.prefix, 345);
  let sum = 0;
  for (let at = 0; at < blockSize; at++) sum += into[at] ?? 0;
  octal(into, sum, 148, 7);
  into[154] = 0;
}

/** Magic and version. */
const ustarMagic = Buffer.from("ustar\x0000", "latin1");

/** Writes octal digits, as many as fit before the last byte of a field, which is left as it is. Division, not bits: sizes exceed 32 bits. */
export function octal(into: Buffer, value: number, start: number, length: number): void {
  for (let at = start + length - 2, left = value; at >= start; at--) {
    const rest = Math.floor(left / 8);
    into[at] = 0x30 + (left - rest * 8);
    left = rest;
  }
}
