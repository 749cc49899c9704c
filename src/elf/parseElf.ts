/**
 * The frame of an ELF file: header, program headers, section headers. System V ABI, "Object Files" (gABI 4.3) and
 * "Program Loading". Everything else in this folder is built on it.
 *
 * Offsets and sizes are numbers: a file is at most 2⁵³ bytes, and a 64-bit field beyond that is outside of any file and
 * fails the bounds checks like every other wrong value.
 */

/** Numbers of the ELF specification that are used here. */
export const elfConstants = {
  ET_REL: 1,
  ET_EXEC: 2,
  ET_DYN: 3,
  ET_CORE: 4,
  PT_LOAD: 1,
  PT_DYNAMIC: 2,
  PT_INTERP: 3,
  SHT_NULL: 0,
  SHT_PROGBITS: 1,
  SHT_SYMTAB: 2,
  SHT_STRTAB: 3,
  SHT_RELA: 4,
  SHT_NOTE: 7,
  SHT_NOBITS: 8,
  SHT_REL: 9,
  SHT_GROUP: 17,
  SHT_SYMTAB_SHNDX: 18,
  SHT_GNU_VERDEF: 0x6ffffffd,
  SHT_GNU_VERNEED: 0x6ffffffe,
  SHF_ALLOC: 2,
  SHF_INFO_LINK: 0x40,
  SHF_LINK_ORDER: 0x80,
  DT_NULL: 0,
  DT_NEEDED: 1,
  DT_STRTAB: 5,
  DT_SYMTAB: 6,
  DT_STRSZ: 10,
  DT_SONAME: 14,
  DT_RPATH: 15,
  DT_RUNPATH: 29,
  DT_FLAGS_1: 0x6ffffffb,
  DT_VERDEF: 0x6ffffffc,
  DT_VERDEFNUM: 0x6ffffffd,
  DT_VERNEED: 0x6ffffffe,
  DT_VERNEEDNUM: 0x6fffffff,
  DF_1_NODEFLIB: 0x800,
} as const;

/** Reads and writes the fields of one file, in its byte order and word size. Reads outside of the file give NaN. */
export interface ElfFields {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** Two bytes. */
  half(offset: number): number;
  /** Four bytes. */
  word(offset: number): number;
  /** Four or eight bytes, by the file's class. */
  native(offset: number): number;
  setHalf(offset: number, value: number): void;
  setWord(offset: number, value: number): void;
  setNative(offset: number, value: number): void;
}

/** One program header: a segment. */
export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** One section header. */
export interface ElfSection {
  readonly index: number;
  /** Offset of its name in the section name table. */
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySize: number;
}

/** The frame of an ELF file. Tables that are not wholly inside the file are `undefined`. */
export interface ElfFrame {
  readonly bytes: Buffer;
  readonly fields: ElfFields;
  readonly type: number;
  readonly machine: number;
  readonly segmentTableOffset: number;
  readonly segments: readonly ElfSegment[] | undefined;
  readonly sectionTableOffset: number;
  readonly sections: readonly ElfSection[] | undefined;
  /** Index of the section name table. */
  readonly sectionNames: number;
  /** Sizes of the file header and of one entry of each table, as the file's class has them. */
  readonly headerSize: number;
  readonly segmentEntrySize: number;
  readonly sectionEntrySize: number;
  /** True when the entry sizes that the header states are those of the class, as they must be. */
  readonly regularEntrySizes: boolean;
}

/** True when the bytes begin as every ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46
  );
}

/** The bytes as a Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function elfFields(bytes: Buffer, bits: 32 | 64, littleEndian: boolean): ElfFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const inside = (offset: number, size: number): boolean => offset >= 0 && offset + size <= bytes.length;
  const word = (offset: number): number =>
    inside(offset, 4) ? view.getUint32(offset, littleEndian) : Number.NaN;
  const setWord = (offset: number, value: number): void => view.setUint32(offset, value, littleEndian);
  return {
    bits,
    littleEndian,
    half: (offset) => (inside(offset, 2) ? view.getUint16(offset, littleEndian) : Number.NaN),
    word,
    native(offset) {
      if (bits === 32) return word(offset);
      const low = word(littleEndian ? offset : offset + 4);
      const high = word(littleEndian ? offset + 4 : offset);
      return high * 0x1_0000_0000 + low;
    },
    setHalf: (offset, value) => view.setUint16(offset, value, littleEndian),
    setWord,
    setNative(offset, value) {
      if (bits === 32) {
        setWord(offset, value);
        return;
      }
      setWord(littleEndian ? offset : offset + 4, value % 0x1_0000_0000);
      setWord(littleEndian ? offset + 4 : offset, Math.floor(value / 0x1_0000_0000));
    },
  };
}

/**
 * Reads the frame of an ELF file.
 *
 * @param data the whole file
 * @returns undefined when it is not ELF, has no valid class or byte order, or ends within its header. Never throws:
 *   values are taken as they are, and whoever follows an offset checks it.
 */
export function parseElf(data: Uint8Array): ElfFrame | undefined {
  if (!isElf(data)) return undefined;
  const bytes = asBuffer(data);
  const elfClass = bytes[4];
  const order = bytes[5];
  if ((elfClass !== 1 && elfClass !== 2) || (order !== 1 && order !== 2)) return undefined;
  const is64 = elfClass === 2;
  const headerSize = is64 ? 64 : 52;
  if (bytes.length < headerSize) return undefined;
  const fields = elfFields(bytes, is64 ? 64 : 32, order === 1);
  const segmentEntrySize = is64 ? 56 : 32;
  const sectionEntrySize = is64 ? 64 : 40;
  const segmentTableOffset = fields.native(is64 ? 32 : 28);
  const sectionTableOffset = fields.native(is64 ? 40 : 32);
  const counts = is64 ? 54 : 42;
  const segmentCount = fields.half(counts + 2);
  const sectionCount = fields.half(counts + 6);
  const regularEntrySizes =
    (segmentCount === 0 || fields.half(counts) === segmentEntrySize) &&
    (sectionCount === 0 || fields.half(counts + 4) === sectionEntrySize);
  return {
    bytes,
    fields,
    type: fields.half(16),
    machine: fields.half(18),
    segmentTableOffset,
    segments: readSegments(bytes, fields, {
      table: segmentTableOffset,
      count: segmentCount,
      entrySize: segmentEntrySize,
    }),
    sectionTableOffset,
    sections: readSections(bytes, fields, {
      table: sectionTableOffset,
      count: sectionCount,
      entrySize: sectionEntrySize,
    }),
    sectionNames: fields.half(counts + 8),
    headerSize,
    segmentEntrySize,
    sectionEntrySize,
    regularEntrySizes,
  };
}

/** Where a table of headers is, in bytes. */
interface HeaderTable {
  readonly table: number;
  readonly count: number;
  readonly entrySize: number;
}

function readSegments(
  bytes: Buffer,
  fields: ElfFields,
  { table, count, entrySize }: HeaderTable,
): ElfSegment[] | undefined {
  if (table + count * entrySize > bytes.length) return undefined;
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    segments.push(
      fields.bits === 64
        ? {
            type: fields.word(at),
            flags: fields.word(at + 4),
            offset: fields.native(at + 8),
            address: fields.native(at + 16),
            fileSize: fields.native(at + 32),
            memorySize: fields.native(at + 40),
          }
        : {
            type: fields.word(at),
            offset: fields.word(at + 4),
            address: fields.word(at + 8),
            fileSize: fields.word(at + 16),
            memorySize: fields.word(at + 20),
            flags: fields.word(at + 24),
          },
    );
  }
  return segments;
}

function readSections(
  bytes: Buffer,
  fields: ElfFields,
  { table, count, entrySize }: HeaderTable,
): ElfSection[] | undefined {
  if (table + count * entrySize > bytes.length) return undefined;
  const wide = fields.bits === 64;
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    sections.push({
      index,
      nameOffset: fields.word(at),
      type: fields.word(at + 4),
      flags: fields.native(at + 8),
      address: fields.native(at + (wide ? 16 : 12)),
      offset: fields.native(at + (wide ? 24 : 16)),
      size: fields.native(at + (wide ? 32 : 20)),
      link: fields.word(at + (wide ? 40 : 24)),
      info: fields.word(at + (wide ? 44 : 28)),
      alignment: fields.native(at + (wide ? 48 : 32)),
      entrySize: fields.native(at + (wide ? 56 : 36)),
    });
  }
  return sections;
}

/** Longest string taken from a file, in bytes. Search paths of many packages in padded trees have some ten thousand. */
export const maxStringBytes = 2 ** 20;

/**
 * A NUL-terminated string that begins at `offset` and ends before `end`: its bytes, or undefined when it does not, or is
 * longer than {@link maxStringBytes}.
 */
export function cString(bytes: Buffer, offset: number, end: number = bytes.length): Buffer | undefined {
  if (!(offset >= 0 && offset < end && end <= bytes.length)) return undefined;
  // Only so far: a file may be gigabytes without a NUL.
  const within = bytes.subarray(offset, Math.min(end, offset + maxStringBytes + 1));
  const nul = within.indexOf(0);
  return nul < 0 ? undefined : within.subarray(0, nul);
}
