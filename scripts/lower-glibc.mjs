// Makes a program for a newer C library start on an older one, when all it wants of the newer one are the C23 variants of
// strtol and its kin (glibc 2.38: `__isoc23_strtol` and so on, which differ from the old ones only in reading `0b…`). Each
// such symbol is given its old name and the version of the old one. Tests use it for Apptainer from a newer Debian.
//
//   node scripts/lower-glibc.mjs FILE...     changes ELF files (64-bit, little-endian) in place; others are left alone
//
// Formats: System V ABI, "Symbol Table"; Linux Standard Base, "Symbol Versioning".
import { readFileSync, writeFileSync } from "node:fs";

const newVersion = "GLIBC_2.38";
const oldVersion = "GLIBC_2.2.5";
const prefix = "__isoc23_";

for (const file of process.argv.slice(2)) {
  const bytes = readFileSync(file);
  const changed = lower(bytes);
  if (changed > 0) writeFileSync(file, bytes);
  console.log(`${file}: ${changed} symbols`);
}

/** Changes the bytes of a file; returns how many symbols were renamed. */
function lower(bytes) {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) return 0;
  const sections = sectionsOf(bytes);
  const [symbols, strings, versions, needs] = [".dynsym", ".dynstr", ".gnu.version", ".gnu.version_r"].map(
    (name) => sections.get(name),
  );
  if (symbols === undefined || strings === undefined || versions === undefined || needs === undefined)
    return 0;
  const text = (offset) => textAt(bytes, strings.offset + offset);
  const wanted = neededVersions(bytes, needs.offset, text);
  const from = wanted.filter(({ name }) => name === newVersion);
  const to = wanted.find(({ library, name }) => library === "libc.so.6" && name === oldVersion);
  if (from.length === 0) return 0;
  if (to === undefined) throw new Error(`it needs ${newVersion}, but nothing of ${oldVersion}`);
  let renamed = 0;
  for (let index = 0; index < symbols.size / 24; index++) {
    const symbol = symbols.offset + 24 * index;
    const version = versions.offset + 2 * index;
    if (!from.some(({ index: one }) => one === (bytes.readUInt16LE(version) & 0x7fff))) continue;
    const name = bytes.readUInt32LE(symbol);
    if (!text(name).startsWith(prefix))
      throw new Error(`it needs ${text(name)}, which the older library lacks`);
    // The old name is the end of the new one, so it is in the table of strings already.
    bytes.writeUInt32LE(name + prefix.length, symbol);
    bytes.writeUInt16LE(to.index, version);
    renamed++;
  }
  // The loader refuses a library without a version that is asked for, even when no symbol has it.
  for (const { at } of from) {
    bytes.writeUInt32LE(bytes.readUInt32LE(to.at), at);
    bytes.writeUInt32LE(bytes.readUInt32LE(to.at + 8), at + 8);
  }
  return renamed;
}

/** Offset and size of each section, by name. */
function sectionsOf(bytes) {
  const start = Number(bytes.readBigUInt64LE(40));
  const [size, count, namesIndex] = [58, 60, 62].map((at) => bytes.readUInt16LE(at));
  const header = (index) => start + size * index;
  const names = Number(bytes.readBigUInt64LE(header(namesIndex) + 24));
  return new Map(
    Array.from({ length: count }, (_, index) => [
      textAt(bytes, names + bytes.readUInt32LE(header(index))),
      {
        offset: Number(bytes.readBigUInt64LE(header(index) + 24)),
        size: Number(bytes.readBigUInt64LE(header(index) + 32)),
      },
    ]),
  );
}

/** The versions a file asks its libraries for: library, name, index, and where the entry is (hash first, name 8 bytes on). */
function neededVersions(bytes, start, text) {
  const found = [];
  for (let library = start; ; ) {
    const count = bytes.readUInt16LE(library + 2);
    const file = text(bytes.readUInt32LE(library + 4));
    let at = library + bytes.readUInt32LE(library + 8);
    for (let index = 0; index < count; index++) {
      found.push({
        library: file,
        name: text(bytes.readUInt32LE(at + 8)),
        index: bytes.readUInt16LE(at + 6),
        at,
      });
      at += bytes.readUInt32LE(at + 12);
    }
    const next = bytes.readUInt32LE(library + 12);
    if (next === 0) return found;
    library += next;
  }
}

function textAt(bytes, offset) {
  return bytes.toString("latin1", offset, bytes.indexOf(0, offset));
}
