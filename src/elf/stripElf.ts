/**
 * Removing what only debuggers and linkers read from executables and shared objects, as `strip --strip-all` does.
 *
 * Unlike it, nothing that is loaded moves: allocated sections and segments keep their place in the file, so that page
 * alignment, and whatever a language's runtime knows of its own file, stay true. Only what follows them is rebuilt.
 */
import { cString, type ElfFrame, type ElfSection, elfConstants as elf, parseElf } from "./parseElf.ts";

/** Section indices from here on have other meanings (SHN_LORESERVE). */
const reservedIndices = 0xff00;
const sectionTypeDynamicSymbols = 11;
const flagExecutable = 4;
/** Linked files have some dozens of sections. More is not worth the time that a hostile file could make us spend. */
const mostSections = 2048;
/** Names of sections are words. */
const longestName = 4096;
/** Larger alignments of sections that are not loaded are nothing a linker writes. */
const largestAlignment = 4096;

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Strips a file.
 *
 * Removed: symbol tables (not the dynamic one) with their strings, sections of debugging information, relocations that
 * are not loaded. Kept: everything loaded, notes, `.comment`, and every section of unknown purpose.
 *
 * @param data the whole file; may be changed
 * @returns the stripped file, over the same memory. `data`, unchanged, when there is nothing to remove; when it is not an
 *   executable or shared object; when it has no section headers; when it is a file of separate debugging information; when
 *   there is data after the ELF file (self-extracting programs); or when its layout is in any way unusual
 */
export function stripElf(data: Buffer): Buffer {
  const frame = parseElf(data);
  const sections = frame === undefined ? undefined : usualSections(frame);
  if (frame === undefined || sections === undefined) return data;
  const names = nameReader(frame, sections);
  if (names === undefined) return data;
  const removed = removableSections(sections, names);
  if (removed.size === 0) return data;
  const kept = sections.filter((section) => !removed.has(section.index));
  const tableNames = sections[frame.sectionNames];
  if (tableNames === undefined || removed.has(frame.sectionNames)) return data;

  const pinnedEnd = endOfPinned(frame, kept);
  const tailSections = sections.filter((section) => hasBytes(section) && section.offset >= pinnedEnd);
  if (sections.some((section) => hasBytes(section) && straddles(section, pinnedEnd))) return data;
  if (hasUnknownBytes(frame, sections, pinnedEnd)) return data;

  const newIndex = new Map<number, number>(kept.map((section, index) => [section.index, index]));
  const renumber = kept.some((section, index) => isAllocated(section) && section.index !== index);
  if (renumber && !symbolsCanFollow(frame, kept, newIndex)) return data;

  const rebuildNames = hasBytes(tableNames) && tableNames.offset >= pinnedEnd;
  const nameTable = rebuildNames ? buildNames(kept, names) : undefined;
  const moved = tailSections
    .filter((section) => !removed.has(section.index))
    .sort((a, b) => a.offset - b.offset);
  const places = new Map<number, Span>();
  let cursor = pinnedEnd;
  for (const section of moved) {
    const isNames = section === tableNames && nameTable !== undefined;
    const start = alignUp(cursor, Math.max(1, section.alignment));
    cursor = start + (isNames ? nameTable.bytes.length : section.size);
    places.set(section.index, { start, end: cursor });
  }
  const headers = kept.map(({ index }) => headerBytes(frame, index));
  const { fields } = frame;
  const wide = fields.bits === 64;
  // Where the section headers lie between loaded parts (as patchelf leaves them) the fewer new ones take their place.
  const needed = neededSpans(frame, kept);
  const oldTable = tableSpan(frame, sections.length);
  const tableStays = oldTable.end <= pinnedEnd && !overlaps(oldTable, needed);
  const tableOffset = tableStays ? oldTable.start : alignUp(cursor, 8);
  const size = tableStays ? cursor : tableOffset + kept.length * frame.sectionEntrySize;
  if (size > data.length || (size === data.length && !tableStays)) return data;

  const contents = new Map<number, Buffer>();
  for (const section of moved) {
    const isNames = section === tableNames && nameTable !== undefined;
    const { start, end } = spanOf(section);
    contents.set(section.index, isNames ? nameTable.bytes : Buffer.from(data.subarray(start, end)));
  }
  // From here on the file is changed, and nothing can fail any more.
  for (const section of sections) {
    // What lies between loaded parts cannot be cut out, but zeros cost nothing compressed.
    const span = spanOf(section);
    if (removed.has(section.index) && hasBytes(section) && span.end <= pinnedEnd && !overlaps(span, needed)) {
      data.fill(0, span.start, span.end);
    }
  }
  if (tableStays) data.fill(0, oldTable.start, oldTable.end);
  if (renumber) renumberSymbols(frame, kept, newIndex);
  data.fill(0, pinnedEnd, size);
  for (const [index, { start }] of places) contents.get(index)?.copy(data, start);
  for (const [index, section] of kept.entries()) {
    const at = tableOffset + index * frame.sectionEntrySize;
    headers[index]?.copy(data, at);
    const name = nameTable?.offsets.get(section.index);
    if (name !== undefined) fields.setWord(at, name);
    const place = places.get(section.index);
    if (place !== undefined) {
      fields.setNative(at + (wide ? 24 : 16), place.start);
      fields.setNative(at + (wide ? 32 : 20), place.end - place.start);
    }
    fields.setWord(at + (wide ? 40 : 24), newIndex.get(section.link) ?? 0);
    if (infoIsSection(section)) fields.setWord(at + (wide ? 44 : 28), newIndex.get(section.info) ?? 0);
  }
  fields.setNative(wide ? 40 : 32, tableOffset);
  fields.setHalf(wide ? 60 : 48, kept.length);
  fields.setHalf(wide ? 62 : 50, newIndex.get(frame.sectionNames) ?? 0);
  return data.subarray(0, size);
}

/** The sections, if the file is of a kind we strip and everything about them is as linkers make it. */
function usualSections(frame: ElfFrame): readonly ElfSection[] | undefined {
  const { sections, segments, bytes } = frame;
  if (frame.type !== elf.ET_EXEC && frame.type !== elf.ET_DYN) return undefined;
  if (sections === undefined || segments === undefined || !frame.regularEntrySizes) return undefined;
  if (sections.length > mostSections || segments.length > mostSections) return undefined;
  if (sections.filter((section) => section.type === sectionTypeDynamicSymbols).length > 1) return undefined;
  if (!segments.some((segment) => segment.type === elf.PT_LOAD && segment.fileSize > 0)) return undefined;
  const [first] = sections;
  if (first === undefined || first.type !== elf.SHT_NULL || frame.sectionTableOffset < frame.headerSize) {
    return undefined;
  }
  if (frame.sectionNames >= Math.min(sections.length, reservedIndices)) return undefined;
  if (segments.some((segment) => !(segment.offset + segment.fileSize <= bytes.length))) return undefined;
  for (const section of sections) {
    if (hasBytes(section) && !(section.offset + section.size <= bytes.length)) return undefined;
    if (section.link >= sections.length || section.type === elf.SHT_GROUP) return undefined;
    const { alignment } = section;
    if (!isAllocated(section) && (alignment > largestAlignment || !isPowerOfTwo(alignment))) return undefined;
    // Separate debugging information has the program's sections, but not their bytes.
    const isCode = isAllocated(section) && hasFlag(section, flagExecutable);
    if (isCode && section.type === elf.SHT_NOBITS && section.size > 0) return undefined;
  }
  return sections;
}

type NameOf = (section: ElfSection) => string;

function nameReader(frame: ElfFrame, sections: readonly ElfSection[]): NameOf | undefined {
  const table = sections[frame.sectionNames];
  if (table === undefined || table.type !== elf.SHT_STRTAB) return undefined;
  const end = table.offset + table.size;
  const names = new Map<ElfSection, string>();
  for (const section of sections) {
    const name = cString(frame.bytes, table.offset + section.nameOffset, end);
    if (name === undefined || name.length > longestName) return undefined;
    names.set(section, name.toString("latin1"));
  }
  return (section) => names.get(section) ?? "";
}

const debugName =
  /^\.(?:z?debug(?:_|$)|gnu\.debuglto_|gnu\.linkonce\.wi\.|line$|stab(?:str)?(?:\.|$)|gdb_index$)/;

function removableSections(sections: readonly ElfSection[], names: NameOf): Set<number> {
  const removed = new Set<number>();
  for (const section of sections) {
    if (isAllocated(section) || section.type === elf.SHT_NULL) continue;
    const { type } = section;
    const isSymbols = type === elf.SHT_SYMTAB || type === elf.SHT_SYMTAB_SHNDX;
    const isRelocation = type === elf.SHT_REL || type === elf.SHT_RELA;
    if (isSymbols || isRelocation || debugName.test(names(section))) removed.add(section.index);
  }
  // The strings of a removed symbol table, unless something else that stays uses them.
  for (const section of sections) {
    if (section.type !== elf.SHT_STRTAB || isAllocated(section) || names(section) !== ".strtab") continue;
    const users = sections.filter((user) => user.link === section.index);
    if (users.length > 0 && users.every((user) => removed.has(user.index))) removed.add(section.index);
  }
  return removed;
}

/** Where what must keep its place ends: headers, segments, allocated sections. */
function endOfPinned(frame: ElfFrame, kept: readonly ElfSection[]): number {
  const segments = frame.segments ?? [];
  return Math.max(
    frame.headerSize,
    frame.segmentTableOffset + segments.length * frame.segmentEntrySize,
    ...segments.filter((segment) => segment.fileSize > 0).map((segment) => segment.offset + segment.fileSize),
    ...kept
      .filter((section) => isAllocated(section) && hasBytes(section))
      .map((section) => section.offset + section.size),
  );
}

/** True when the part that is rebuilt has bytes, other than zeros, that belong to no section. */
function hasUnknownBytes(frame: ElfFrame, sections: readonly ElfSection[], start: number): boolean {
  const { bytes } = frame;
  const known = [...sections.filter(hasBytes).map(spanOf), tableSpan(frame, sections.length)];
  known.sort((a, b) => a.start - b.start);
  let at = start;
  for (const span of [...known, { start: bytes.length, end: bytes.length }]) {
    if (span.end <= at) continue;
    for (; at < span.start; at++) if (bytes[at] !== 0) return true;
    at = Math.max(at, span.end);
  }
  return false;
}

/** Dynamic symbols name their sections by index. None may be in a section that goes. */
function symbolsCanFollow(
  frame: ElfFrame,
  kept: readonly ElfSection[],
  newIndex: ReadonlyMap<number, number>,
): boolean {
  for (const at of sectionIndexFields(frame, kept)) if (!newIndex.has(frame.fields.half(at))) return false;
  return true;
}

function renumberSymbols(
  frame: ElfFrame,
  kept: readonly ElfSection[],
  newIndex: ReadonlyMap<number, number>,
): void {
  for (const at of sectionIndexFields(frame, kept)) {
    const old = frame.fields.half(at);
    const index = newIndex.get(old) ?? 0;
    if (index !== old) frame.fields.setHalf(at, index);
  }
}

/** Offsets of the `st_shndx` of all dynamic symbols that are in a section. */
function* sectionIndexFields(frame: ElfFrame, kept: readonly ElfSection[]): Generator<number> {
  const wide = frame.fields.bits === 64;
  const entrySize = wide ? 24 : 16;
  for (const section of kept) {
    if (section.type !== sectionTypeDynamicSymbols) continue;
    const end = section.offset + section.size;
    for (let at = section.offset; at + entrySize <= end; at += entrySize) {
      const field = at + (wide ? 6 : 14);
      const index = frame.fields.half(field);
      if (index !== 0 && index < reservedIndices) yield field;
    }
  }
}

/** What must not be written over: headers, segments, sections that stay. */
function neededSpans(frame: ElfFrame, kept: readonly ElfSection[]): Span[] {
  const segments = frame.segments ?? [];
  const segmentTable = frame.segmentTableOffset;
  return [
    { start: 0, end: frame.headerSize },
    { start: segmentTable, end: segmentTable + segments.length * frame.segmentEntrySize },
    ...segments.map(({ offset, fileSize }) => ({ start: offset, end: offset + fileSize })),
    ...kept.filter(hasBytes).map(spanOf),
  ];
}

function tableSpan(frame: ElfFrame, count: number): Span {
  const start = frame.sectionTableOffset;
  return { start, end: start + count * frame.sectionEntrySize };
}

function spanOf({ offset, size }: ElfSection): Span {
  return { start: offset, end: offset + size };
}

function overlaps(span: Span, others: readonly Span[]): boolean {
  return others.some((other) => other.start < span.end && span.start < other.end);
}

function buildNames(
  kept: readonly ElfSection[],
  names: NameOf,
): { readonly bytes: Buffer; readonly offsets: ReadonlyMap<number, number> } {
  const offsets = new Map<number, number>();
  const known = new Map<string, number>([["", 0]]);
  let text = "\0";
  for (const section of kept) {
    const name = names(section);
    let offset = known.get(name);
    if (offset === undefined) {
      offset = text.length;
      known.set(name, offset);
      text += `${name}\0`;
    }
    offsets.set(section.index, offset);
  }
  return { bytes: Buffer.from(text, "latin1"), offsets };
}

/** A copy of a section header: what is not changed in it stays as it is, whatever it means. */
function headerBytes(frame: ElfFrame, index: number): Buffer {
  const start = frame.sectionTableOffset + index * frame.sectionEntrySize;
  return Buffer.from(frame.bytes.subarray(start, start + frame.sectionEntrySize));
}

function infoIsSection(section: ElfSection): boolean {
  const { type } = section;
  return type === elf.SHT_REL || type === elf.SHT_RELA || hasFlag(section, elf.SHF_INFO_LINK);
}

function hasFlag(section: ElfSection, flag: number): boolean {
  // Arithmetic: bit operations would cut the flags to 32 bits.
  return Math.floor(section.flags / flag) % 2 === 1;
}

function isAllocated(section: ElfSection): boolean {
  return hasFlag(section, elf.SHF_ALLOC);
}

function hasBytes(section: ElfSection): boolean {
  return section.type !== elf.SHT_NULL && section.type !== elf.SHT_NOBITS && section.size > 0;
}

function straddles({ offset, size }: ElfSection, boundary: number): boolean {
  return offset < boundary && offset + size > boundary;
}

function isPowerOfTwo(value: number): boolean {
  return value === 0 || (Number.isInteger(Math.log2(value)) && value >= 1);
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
