/** The strings of an ELF file that tell the loader where to look, located for editing in place. */
import { cString, type ElfFrame, elfConstants as elf, parseElf } from "./parseElf.ts";

/** A string in the file. */
export interface LocatedString {
  readonly offset: number;
  /** Without the NUL; a view of the file's bytes. */
  readonly bytes: Buffer;
}

/** Bytes of all names (DT_NEEDED, DT_SONAME) together; a hostile file may let them overlap. */
const maxNameBytes = 16 * 1024 * 1024;

/** What can be edited. */
export interface LoaderStrings {
  /** DT_RPATH or DT_RUNPATH, whichever there is. */
  readonly runPath?: LocatedString;
  /** PT_INTERP. */
  readonly interpreter?: LocatedString;
}

/** As many dynamic entries are read as fit into this many; real files have a few hundred. */
const maxEntries = 65_536;

/**
 * Locates the strings by the conditions under which Spack edits a file, so that the same files are edited: executables
 * and shared objects only; one DT_STRTAB; at most one of DT_RPATH and DT_RUNPATH; and the string table known to the
 * section headers, all its referenced strings well-formed. (This is stricter than `readElfInfo`, which reads as the
 * loader does.)
 *
 * @returns undefined when the file is not ELF or does not meet the conditions
 */
export function locateLoaderStrings(data: Uint8Array): LoaderStrings | undefined {
  const frame = parseElf(data);
  if (frame === undefined || (frame.type !== elf.ET_EXEC && frame.type !== elf.ET_DYN)) return undefined;
  const segments = frame.segments?.filter((segment) => segment.fileSize > 0);
  if (segments === undefined) return undefined;
  const interp = segments.findLast((segment) => segment.type === elf.PT_INTERP);
  let interpreter: LocatedString | undefined;
  if (interp !== undefined) {
    const bytes = cString(frame.bytes, interp.offset, interp.offset + interp.fileSize);
    if (bytes === undefined) return undefined;
    interpreter = { offset: interp.offset, bytes };
  }
  const dynamic = segments.findLast((segment) => segment.type === elf.PT_DYNAMIC);
  const loads = segments
    .filter((segment) => segment.type === elf.PT_LOAD)
    .sort((a, b) => a.address - b.address);
  const found = interpreter === undefined ? {} : { interpreter };
  if (dynamic === undefined || loads.length === 0) return found;
  const entries = readEntries(frame, dynamic.offset, dynamic.fileSize);
  if (entries === undefined || entries.tables.length !== 1 || entries.paths.length > 1) return undefined;
  if (entries.paths.length + entries.names.length === 0) return found;
  const address = entries.tables[0] ?? Number.NaN;
  const load = loads.findLast((segment) => segment.address <= address);
  if (load === undefined) return undefined;
  const start = load.offset + (address - load.address);
  const table = frame.sections?.find((s) => s.type === elf.SHT_STRTAB && s.offset === start);
  if (table === undefined) return undefined;
  const end = start + table.size;
  const stringAt = (offset: number): Buffer | undefined => cString(frame.bytes, start + offset, end);
  let searched = 0;
  for (const offset of entries.names) {
    const name = stringAt(offset);
    searched += name?.length ?? 0;
    if (name === undefined || searched > maxNameBytes) return undefined;
  }
  const pathOffset = entries.paths[0];
  if (pathOffset === undefined) return found;
  const bytes = stringAt(pathOffset);
  return bytes === undefined ? undefined : { ...found, runPath: { offset: start + pathOffset, bytes } };
}

interface DynamicOffsets {
  /** Values of DT_STRTAB. */
  readonly tables: readonly number[];
  /** Values of DT_RPATH and DT_RUNPATH. */
  readonly paths: readonly number[];
  /** Values of DT_NEEDED and DT_SONAME. */
  readonly names: readonly number[];
}

function readEntries(frame: ElfFrame, start: number, size: number): DynamicOffsets | undefined {
  const { fields } = frame;
  const entrySize = fields.bits / 4;
  const count = Math.floor(size / entrySize);
  const tables: number[] = [];
  const paths: number[] = [];
  const names: number[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * entrySize;
    if (index >= maxEntries || !(at + entrySize <= frame.bytes.length)) return undefined;
    const tag = fields.native(at);
    const value = fields.native(at + entrySize / 2);
    if (tag === elf.DT_NULL) break;
    if (tag === elf.DT_STRTAB) tables.push(value);
    else if (tag === elf.DT_RPATH || tag === elf.DT_RUNPATH) paths.push(value);
    else if (tag === elf.DT_NEEDED || tag === elf.DT_SONAME) names.push(value);
  }
  return { tables, paths, names };
}

/**
 * Writes a string over one that is at least as long, and NULs over what is left of it.
 *
 * @throws RangeError when the new string is longer
 */
export function overwriteString(file: Buffer, old: LocatedString, text: Buffer): void {
  const { length } = old.bytes;
  if (text.length > length) throw new RangeError("the new string is longer than the old one");
  text.copy(file, old.offset);
  file.fill(0, old.offset + text.length, old.offset + length);
}
