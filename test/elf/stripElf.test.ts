import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { elfConstants as elf, parseElf } from "../../src/elf/parseElf.ts";
import { readElfInfo } from "../../src/elf/readElf.ts";
import { stripElf } from "../../src/elf/stripElf.ts";
import { buildElf, type ElfRecipe, type ExtraSection } from "../support/elfBuilder.ts";

const symbols: ExtraSection[] = [
  { name: ".symtab", type: elf.SHT_SYMTAB, bytes: Buffer.alloc(2400, 7), link: ".strtab", entrySize: 24 },
  { name: ".strtab", type: elf.SHT_STRTAB, bytes: Buffer.from(`\0${"main\0".repeat(200)}`) },
];
const debug: ExtraSection[] = [".debug_info", ".zdebug_line", ".gdb_index", ".stab", ".stabstr"].map(
  (name) => ({
    name,
    type: elf.SHT_PROGBITS,
    bytes: Buffer.alloc(333, 1),
  }),
);
const comment: ExtraSection = { name: ".comment", type: elf.SHT_PROGBITS, bytes: Buffer.from("GCC: 12\0") };
const rust: ExtraSection = { name: ".rustc", type: elf.SHT_PROGBITS, bytes: Buffer.from("metadata!") };

const loader = { interpreter: "/lib/ld.so", needed: ["libc.so.6"], runpath: "/a:/b", soname: "libx.so" };

function strip(recipe: ElfRecipe): { before: Buffer; after: Buffer } {
  const before = buildElf(recipe);
  return { before, after: stripElf(Buffer.from(before)) };
}

/** Names, and contents by name, of all sections. */
function sectionsOf(file: Buffer): Map<string, string> {
  const frame = parseElf(file);
  const table = frame?.sections?.[frame.sectionNames];
  if (frame?.sections === undefined || table === undefined) throw new Error("no sections");
  return new Map(
    frame.sections.map((section): [string, string] => {
      const at = table.offset + section.nameOffset;
      const name = file.subarray(at, file.indexOf(0, at)).toString("latin1");
      const bytes =
        section.type === 0 ? Buffer.alloc(0) : file.subarray(section.offset, section.offset + section.size);
      return [name, bytes.toString("latin1")];
    }),
  );
}

describe("stripElf", () => {
  for (const bits of [32, 64] as const) {
    for (const endian of ["little", "big"] as const) {
      it(`strips ${bits}-bit ${endian}-endian files`, () => {
        const extra = [comment, ...debug, rust, ...symbols];
        const { before, after } = strip({ bits, endian, ...loader, extra });
        expect(after.length).toBeLessThan(before.length - 3000);
        expect(readElfInfo(after)).toEqual(readElfInfo(before));
        const [old, now] = [sectionsOf(before), sectionsOf(after)];
        const names = ["", ".interp", ".dynstr", ".dynamic", ".rodata", ".comment", ".rustc", ".shstrtab"];
        expect([...now.keys()]).toEqual(names);
        for (const name of names.slice(0, -1)) expect(now.get(name), name).toBe(old.get(name));
      });
    }
  }

  it("keeps every loaded byte where it was", () => {
    const { before, after } = strip({ ...loader, extra: [...symbols, ...debug] });
    const load = parseElf(before)?.segments?.find((segment) => segment.type === elf.PT_LOAD);
    const end = load?.fileSize ?? 0;
    // The file header is loaded too, and tells where the section headers are.
    expect(after.subarray(64, end).equals(before.subarray(64, end))).toBe(true);
    expect(parseElf(after)?.segments).toEqual(parseElf(before)?.segments);
  });

  it("removes relocations that refer to the removed symbols, and renumbers links", () => {
    const relocations: ExtraSection = {
      name: ".rela.rodata",
      type: elf.SHT_RELA,
      bytes: Buffer.alloc(240),
      link: ".symtab",
      info: ".rodata",
      flags: elf.SHF_INFO_LINK,
    };
    const other: ExtraSection = {
      name: ".extra",
      type: 0x60001234,
      bytes: Buffer.from("x"),
      link: ".comment",
    };
    const { after } = strip({ extra: [...symbols, relocations, comment, other] });
    const frame = parseElf(after);
    const names = [...sectionsOf(after).keys()];
    expect(names).toEqual(["", ".dynstr", ".dynamic", ".rodata", ".comment", ".extra", ".shstrtab"]);
    expect(frame?.sections?.[names.indexOf(".extra")]?.link).toBe(names.indexOf(".comment"));
    expect(frame?.sections?.[names.indexOf(".dynamic")]?.link).toBe(names.indexOf(".dynstr"));
  });

  const untouched: Record<string, Buffer> = {
    "a file with nothing to strip": buildElf({ extra: [comment] }),
    "an object file": buildElf({ type: elf.ET_REL, extra: symbols }),
    "a core file": buildElf({ type: elf.ET_CORE, extra: symbols }),
    "a file without section headers": buildElf({ withoutSections: true, extra: symbols }),
    "a file with data after its end": Buffer.concat([
      buildElf({ extra: symbols }),
      Buffer.from("zip archive"),
    ]),
    "a truncated file": buildElf({ extra: symbols }).subarray(0, -70),
    "a file with a group of sections": buildElf({
      extra: [...symbols, { name: ".group", type: elf.SHT_GROUP, bytes: Buffer.alloc(8) }],
    }),
    "a script": Buffer.from("#!/bin/sh\n"),
    nothing: Buffer.alloc(0),
  };
  for (const [what, file] of Object.entries(untouched)) {
    it(`leaves ${what} alone`, () => {
      const copy = Buffer.from(file);
      expect(stripElf(copy)).toBe(copy);
      expect(copy.equals(file)).toBe(true);
    });
  }

  it("makes no copies of sections that overlap", () => {
    const many = Array.from({ length: 500 }, (_, at) => ({ ...rust, name: `.r${at}` }));
    const large = { ...rust, name: ".large", bytes: Buffer.alloc(32 * 2 ** 20, 1) };
    const file = buildElf({ ...loader, extra: [...many, large, ...symbols] });
    const frame = parseElf(file);
    const whole = frame?.sections?.find((section) => section.size === large.bytes.length);
    if (frame?.sections === undefined || whole === undefined) throw new Error("not as built");
    for (const section of frame.sections) {
      if (section.size !== rust.bytes.length) continue;
      const at = frame.sectionTableOffset + section.index * frame.sectionEntrySize;
      frame.fields.setNative(at + 24, whole.offset);
      frame.fields.setNative(at + 32, whole.size);
    }
    const before = Buffer.from(file);
    expect(stripElf(file).equals(before)).toBe(true);
  });

  it("is done after once", () => {
    const { after } = strip({ ...loader, extra: [...debug, ...symbols, comment] });
    const copy = Buffer.from(after);
    expect(stripElf(copy)).toBe(copy);
  });

  it("never fails, grows a file, or changes what is loaded, whatever the damage", () => {
    const whole = buildElf({ ...loader, extra: [comment, ...debug, ...symbols] });
    const headers = parseElf(whole)?.sectionTableOffset ?? 0;
    const place = fc.oneof(
      fc.nat(200),
      fc.nat(whole.length - 1),
      fc.integer({ min: headers, max: whole.length - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 255))), { maxLength: 6 }),
        (edits) => {
          const damaged = Buffer.from(whole);
          for (const [at, value] of edits) damaged[at] = value;
          const stripped = stripElf(Buffer.from(damaged));
          expect(stripped.length).toBeLessThanOrEqual(damaged.length);
          expect(readElfInfo(stripped)).toEqual(readElfInfo(damaged));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
