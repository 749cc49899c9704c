/** OpenPGP's ASCII armour (RFC 9580, section 6.2), taken strictly: what cannot be read is an error that says where. */
import { type Place, SpacktainersError } from "../util/errors.ts";

/** What one block of armour, or a whole binary file, holds. */
export interface Block {
  /** As in `-----BEGIN PGP …-----`: `PUBLIC KEY BLOCK`, `PRIVATE KEY BLOCK`, …; `binary` without armour. */
  readonly kind: string;
  /** OpenPGP packets. */
  readonly bytes: Uint8Array;
  /** Where the block begins. */
  readonly place: Place;
}

const beginLine = /^-----BEGIN ([A-Z0-9][A-Z0-9 ,/]{0,60})-----[ \t]*$/;
const endLine = /^-----END ([A-Z0-9][A-Z0-9 ,/]{0,60})-----[ \t]*$/;
/** A line that begins or ends a block for somebody, but not here: indented, quoted, or put out of action by a colon. */
const almostMarker = /-{3,}\s*(BEGIN|END)\b|\bPGP (PUBLIC|PRIVATE) KEY BLOCK/;

/**
 * Takes a file apart: every block of armour in it, or the whole as one block when it is binary. Text around blocks is a
 * comment.
 *
 * @param name of the file, for errors
 * @throws SpacktainersError KEY_INVALID for armour that is damaged or of something else than OpenPGP
 */
export function readBlocks(content: Uint8Array, name: string): readonly Block[] {
  // The highest bit of the first byte is that of a packet; no text in armour begins with it but for a byte order mark.
  const marked = content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf;
  if (((content[0] ?? 0) & 0x80) !== 0 && !marked)
    return [{ kind: "binary", bytes: content, place: { file: name } }];
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("latin1");
  const lines = (marked ? text.slice(3) : text).split("\n").map((line) => line.replace(/\r$/, ""));
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const kind = beginLine.exec(line)?.[1];
    if (kind === undefined) {
      if (almostMarker.test(line)) throw strayMarker(line, { file: name, line: at + 1 });
      continue;
    }
    const { bytes, end } = readBlock(lines, at, kind, name);
    blocks.push({ kind: kind.slice("PGP ".length), bytes, place: { file: name, line: at + 1 } });
    at = end;
  }
  return blocks;
}

/** Reads the block that begins in line `begin` (from 0). */
function readBlock(
  lines: readonly string[],
  begin: number,
  kind: string,
  name: string,
): { readonly bytes: Uint8Array; readonly end: number } {
  const fail = (line: number, what: string): never => {
    throw new SpacktainersError("KEY_INVALID", what, {
      place: { file: name, line: line + 1 },
      hint: "get the file again; public keys are exported with: gpg --armor --export FINGERPRINT",
    });
  };
  if (!kind.startsWith("PGP ")) fail(begin, `this is not an OpenPGP key, but: ${kind.toLowerCase()}`);
  const end = lines.findIndex((line, at) => at > begin && line.startsWith("-----"));
  if (end < 0) return fail(begin, "the block that begins here has no end");
  if (endLine.exec(lines[end] ?? "")?.[1] !== kind) fail(end, "the block before this line has no end");
  let at = begin + 1;
  for (; at < end && (lines[at] ?? "").trim() !== ""; at++)
    if (!/^[^:\s][^:]*: /.test(`${lines[at]} `)) fail(at, "a block begins with headers and an empty line");
  const body = lines
    .slice(at, end)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const sum = /^=[A-Za-z0-9+/]{4}$/.test(body.at(-1) ?? "") ? body.pop() : undefined;
  const base64 = body.join("");
  if (base64.length === 0) fail(begin, "the block that begins here is empty");
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    fail(begin, "the block that begins here is damaged: it is not base64");
  const bytes = Buffer.from(base64, "base64");
  if (sum !== undefined && sum !== `=${checksum(bytes).toString("base64")}`)
    fail(begin, "the block that begins here is damaged: its checksum does not fit");
  return { bytes, end };
}

function strayMarker(line: string, place: Place): SpacktainersError {
  const disabled = /^\s*:+-----BEGIN PGP/.test(line);
  return new SpacktainersError("KEY_INVALID", "this line is almost the beginning or the end of a block", {
    place,
    hint: disabled
      ? "GnuPG puts a colon there to keep a revocation from being used by mistake: remove the colon, or the whole"
      : "a block begins with `-----BEGIN PGP PUBLIC KEY BLOCK-----` at the beginning of a line, and ends likewise",
  });
}

/** CRC-24 (RFC 9580, section 6.1), three bytes. */
function checksum(bytes: Uint8Array): Buffer {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x800000) === 0 ? crc << 1 : (crc << 1) ^ 0x864cfb;
    crc &= 0xffffff;
  }
  return Buffer.from([crc >> 16, (crc >> 8) & 0xff, crc & 0xff]);
}
