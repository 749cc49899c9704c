import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { locateLoaderStrings } from "../../src/elf/loaderStrings.ts";
import { elfConstants as elf } from "../../src/elf/parseElf.ts";
import { isElf, readElfInfo } from "../../src/elf/readElf.ts";
import { buildElf } from "../support/elfBuilder.ts";

const nothing = { needed: [], rpath: [], runpath: [], versionsNeeded: {}, versionsDefined: [] };

describe("readElfInfo", () => {
  for (const bits of [32, 64] as const) {
    for (const endian of ["little", "big"] as const) {
      it(`reads ${bits}-bit ${endian}-endian files`, () => {
        const file = buildElf({
          bits,
          endian,
          machine: 183,
          interpreter: "/lib/ld-linux.so.2",
          soname: "libx.so.1",
          needed: ["liba.so", "libb.so"],
          rpath: "/a/lib::/b/lib:",
          dynamic: [[elf.DT_FLAGS_1, 0x801]],
        });
        expect(readElfInfo(file)).toEqual({
          bits,
          endian,
          machine: 183,
          type: "dynamic",
          interpreter: "/lib/ld-linux.so.2",
          soname: "libx.so.1",
          needed: ["liba.so", "libb.so"],
          rpath: ["/a/lib", "/b/lib"],
          runpath: [],
          noDefaultLibraries: true,
          versionsNeeded: {},
          versionsDefined: [],
        });
      });
    }
  }

  it("tells RUNPATH from RPATH", () => {
    const facts = readElfInfo(buildElf({ runpath: "$ORIGIN/../lib", type: elf.ET_EXEC }));
    expect(facts?.runpath).toEqual(["$ORIGIN/../lib"]);
    expect(facts?.rpath).toEqual([]);
    expect(facts?.type).toBe("executable");
  });

  it("reads no dynamic section of an object file", () => {
    const facts = readElfInfo(buildElf({ type: elf.ET_REL, needed: ["liba.so"] }));
    expect(facts).toEqual({ bits: 64, endian: "little", machine: 62, type: "relocatable", ...nothing });
  });

  it("is undefined for what is not ELF", () => {
    expect(readElfInfo(Buffer.from("#!/bin/sh\n"))).toBeUndefined();
    expect(readElfInfo(Buffer.from("\x7fELF\x02\x01"))).toBeUndefined();
    expect(readElfInfo(Buffer.from(`\x7fELF\x07\x01${"\0".repeat(80)}`))).toBeUndefined();
    expect(isElf(Buffer.from("\x7fEL"))).toBe(false);
  });

  it("reads a real program: the running Node", () => {
    const facts = readElfInfo(readFileSync(process.execPath));
    expect(facts?.interpreter).toMatch(/ld-/);
    expect(facts?.needed.some((name) => name.startsWith("libc."))).toBe(true);
    expect(Object.values(facts?.versionsNeeded ?? {}).flat()).toContain("GLIBC_2.17");
  });

  it("takes no time over names that overlap for megabytes", () => {
    const dynamic = Array.from({ length: 60_000 }, (_, at): [number, number] => [elf.DT_NEEDED, 1 + at]);
    const long = buildElf({ needed: ["x".repeat(32 * 2 ** 20)], dynamic });
    const endless = Buffer.from(long);
    endless.fill(0x78, endless.indexOf("xxxx"));
    for (const file of [long, endless]) {
      const facts = readElfInfo(file);
      expect((facts?.needed ?? []).reduce((sum, name) => sum + name.length, 0)).toBeLessThan(2 ** 25);
      expect(locateLoaderStrings(file)).toBeUndefined();
    }
  });

  it("survives any damage", () => {
    const whole = buildElf({
      interpreter: "/lib/ld.so",
      needed: ["liba.so"],
      rpath: "/a:/b",
      soname: "libx.so",
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        fc.nat(whole.length),
        (edits, cut) => {
          const file = Buffer.from(whole.subarray(0, cut));
          for (const [at, value] of edits) if (at < file.length) file[at] = value;
          readElfInfo(file);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
