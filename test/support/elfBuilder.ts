/** Builds small ELF files for tests: any word size, any byte order, with what relocation and stripping look at. */
import { elfConstants as elf } from "../../src/elf/parseElf.ts";

export interface ElfRecipe {
  readonly bits?: 32 | 64;
  readonly endian?: "little" | "big";
  readonly type?: number;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly rpath?: string;
  readonly runpath?: string;
  /** Further dynamic entries, as they are. */
  readonly dynamic?: readonly (readonly [tag: number, value: number])[];
  /** Bytes of an allocated read-only section. */
  readonly rodata?: Uint8Array;
  /** Sections that are not loaded. */
  readonly extra?: readonly ExtraSection[];
  /** Leave out the section header table. */
  readonly withoutSections?: boolean;
}

export interface ExtraSection {
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly flags?: number;
  /** Name of the section that `sh_link` points at. */
  readonly link?: string;
  readonly info?: string | number;
  readonly entrySize?: number;
}

interface Section {
  name: string;
  type: number;
  flags: number;
  address: number;
  bytes: Buffer;
  link?: string | undefined;
  info?: string | number | undefined;
  entrySize?: number | undefined;
  offset: number;
}

const address = 0x1_0000;

/** The bytes of an ELF file. One PT_LOAD maps the allocated part at address 0x10000. */
export function buildElf(recipe: ElfRecipe = {}): Buffer {
  const wide = (recipe.bits ?? 64) === 64;
  const little = (recipe.endian ?? "little") === "little";
  const wordSize = wide ? 8 : 4;
  const strings = new StringTable();
  const entries: [number, number][] = [];
  for (const name of recipe.needed ?? []) entries.push([elf.DT_NEEDED, strings.add(name)]);
  if (recipe.soname !== undefined) entries.push([elf.DT_SONAME, strings.add(recipe.soname)]);
  if (recipe.rpath !== undefined) entries.push([elf.DT_RPATH, strings.add(recipe.rpath)]);
  if (recipe.runpath !== undefined) entries.push([elf.DT_RUNPATH, strings.add(recipe.runpath)]);
  entries.push(...(recipe.dynamic ?? []).map(([tag, value]): [number, number] => [tag, value]));
  const dynstr = strings.bytes();

  const segmentCount = 2 + (recipe.interpreter === undefined ? 0 : 1);
  const headerSize = (wide ? 64 : 52) + segmentCount * (wide ? 56 : 32);
  let offset = align(headerSize, 16);
  const sections: Section[] = [];
  const add = (
    name: string,
    type: number,
    flags: number,
    bytes: Buffer,
    more: Partial<Section> = {},
  ): Section => {
    const section: Section = {
      name,
      type,
      flags,
      address: (flags & elf.SHF_ALLOC) === 0 ? 0 : address + offset,
      bytes,
      offset,
      ...more,
    };
    offset = align(offset + bytes.length, 16);
    sections.push(section);
    return section;
  };
  const interp =
    recipe.interpreter === undefined
      ? undefined
      : add(".interp", elf.SHT_PROGBITS, elf.SHF_ALLOC, Buffer.from(`${recipe.interpreter}\0`));
  const stringTable = add(".dynstr", elf.SHT_STRTAB, elf.SHF_ALLOC, dynstr);
  entries.push([elf.DT_STRTAB, stringTable.address], [elf.DT_STRSZ, dynstr.length], [elf.DT_NULL, 0]);
  const dynamicBytes = Buffer.alloc(entries.length * wordSize * 2);
  const put = writer(wide, little);
  for (const [index, [tag, value]] of entries.entries()) {
    put.native(dynamicBytes, index * wordSize * 2, tag);
    put.native(dynamicBytes, index * wordSize * 2 + wordSize, value);
  }
  const dynamic = add(".dynamic", 6, elf.SHF_ALLOC, dynamicBytes, {
    link: ".dynstr",
    entrySize: wordSize * 2,
  });
  add(".rodata", elf.SHT_PROGBITS, elf.SHF_ALLOC, Buffer.from(recipe.rodata ?? "some data\0"));
  const loadedEnd = offset;
  for (const extra of recipe.extra ?? []) {
    add(extra.name, extra.type, extra.flags ?? 0, Buffer.from(extra.bytes), {
      link: extra.link,
      info: extra.info,
      entrySize: extra.entrySize,
    });
  }
  const names = new StringTable();
  for (const section of sections) names.add(section.name);
  names.add(".shstrtab");
  add(".shstrtab", elf.SHT_STRTAB, 0, names.bytes());
  const sectionTable = align(offset, 8);

  const size = recipe.withoutSections ? offset : sectionTable + (sections.length + 1) * (wide ? 64 : 40);
  const file = Buffer.alloc(size);
  for (const section of sections) section.bytes.copy(file, section.offset);
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  put.half(file, 16, recipe.type ?? elf.ET_DYN);
  put.half(file, 18, recipe.machine ?? 62);
  put.word(file, 20, 1);
  put.native(file, wide ? 32 : 28, wide ? 64 : 52);
  put.native(file, wide ? 40 : 32, recipe.withoutSections ? 0 : sectionTable);
  const counts = wide ? 52 : 40;
  put.half(file, counts, wide ? 64 : 52);
  put.half(file, counts + 2, wide ? 56 : 32);
  put.half(file, counts + 4, segmentCount);
  put.half(file, counts + 6, wide ? 64 : 40);
  put.half(file, counts + 8, recipe.withoutSections ? 0 : sections.length + 1);
  put.half(file, counts + 10, recipe.withoutSections ? 0 : sections.length);

  const segments: [type: number, offset: number, size: number][] = [
    [elf.PT_LOAD, 0, loadedEnd],
    [elf.PT_DYNAMIC, dynamic.offset, dynamic.bytes.length],
  ];
  if (interp !== undefined) segments.push([elf.PT_INTERP, interp.offset, interp.bytes.length]);
  for (const [index, [type, at, length]] of segments.entries()) {
    const base = (wide ? 64 : 52) + index * (wide ? 56 : 32);
    put.word(file, base, type);
    const fields = wide
      ? [at, address + at, address + at, length, length, 16]
      : [at, address + at, address + at, length, length];
    for (const [n, value] of fields.entries()) put.native(file, base + (wide ? 8 : 4) + n * wordSize, value);
    put.word(file, base + (wide ? 4 : 24), 4);
  }
  if (recipe.withoutSections) return file;
  const indexOf = (name: string): number => sections.findIndex((section) => section.name === name) + 1;
  for (const [index, section] of sections.entries()) {
    const base = sectionTable + (index + 1) * (wide ? 64 : 40);
    put.word(file, base, names.add(section.name));
    put.word(file, base + 4, section.type);
    const fields = [section.flags, section.address, section.offset, section.bytes.length];
    for (const [n, value] of fields.entries()) put.native(file, base + 8 + n * wordSize, value);
    const after = base + 8 + 4 * wordSize;
    put.word(file, after, section.link === undefined ? 0 : indexOf(section.link));
    const info = section.info ?? 0;
    put.word(file, after + 4, typeof info === "string" ? indexOf(info) : info);
    put.native(file, after + 8, 1);
    put.native(file, after + 8 + wordSize, section.entrySize ?? 0);
  }
  return file;
}

class StringTable {
  readonly #offsets = new Map<string, number>();
  #text = "\0";

  add(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#text.length;
    this.#offsets.set(name, offset);
    this.#text += `${name}\0`;
    return offset;
  }

  bytes(): Buffer {
    return Buffer.from(this.#text, "latin1");
  }
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function writer(wide: boolean, little: boolean) {
  const half = (at: Buffer, offset: number, value: number): void => {
    if (little) at.writeUInt16LE(value, offset);
    else at.writeUInt16BE(value, offset);
  };
  const word = (at: Buffer, offset: number, value: number): void => {
    if (little) at.writeUInt32LE(value, offset);
    else at.writeUInt32BE(value, offset);
  };
  const native = (at: Buffer, offset: number, value: number): void => {
    if (!wide) word(at, offset, value);
    else if (little) at.writeBigUInt64LE(BigInt(value), offset);
    else at.writeBigUInt64BE(BigInt(value), offset);
  };
  return { half, word, native };
}
