import { describe, expect, it } from "vitest";
import { locateLoaderStrings } from "../../src/elf/loaderStrings.ts";
import { elfConstants as elf } from "../../src/elf/parseElf.ts";
import { readElfInfo } from "../../src/elf/readElf.ts";
import { makePrefixSearch } from "../../src/install/prefixSearch.ts";
import { dropRedundantRunPaths, relocateElf } from "../../src/install/relocateElf.ts";
import { buildElf, type ElfRecipe } from "../support/elfBuilder.ts";

const search = makePrefixSearch([
  { from: Buffer.from("/pad/root/zlib"), to: Buffer.from("/n/zlib") },
  { from: Buffer.from("/pad/root"), to: Buffer.from("/n") },
]);

function relocated(recipe: ElfRecipe): { changed: boolean; file: Buffer } {
  const file = buildElf(recipe);
  return { changed: relocateElf(file, search), file };
}

describe("relocateElf", () => {
  for (const bits of [32, 64] as const) {
    for (const endian of ["little", "big"] as const) {
      it(`relocates ${bits}-bit ${endian}-endian files`, () => {
        const { changed, file } = relocated({
          bits,
          endian,
          rpath: "/pad/root/zlib/lib::/usr/lib:$ORIGIN/pad/root:/pad/root/x:/pad/rooty::::",
          interpreter: "/pad/root/glibc/lib/ld.so",
        });
        expect(changed).toBe(true);
        const facts = readElfInfo(file);
        expect(facts?.rpath).toEqual(["/n/zlib/lib", "/usr/lib", "$ORIGIN/pad/root", "/n/x", "/ny"]);
        expect(facts?.interpreter).toBe("/n/glibc/lib/ld.so");
      });
    }
  }

  it("fills what is left over with NULs, and changes nothing else", () => {
    const before = buildElf({ runpath: "/pad/root/zlib/lib", soname: "x.so" });
    const after = Buffer.from(before);
    relocateElf(after, search);
    const at = before.indexOf("/pad/root/zlib/lib");
    const expected = Buffer.from(before);
    expected.fill(0, at, at + "/pad/root/zlib/lib".length);
    expected.write("/n/zlib/lib", at);
    expect(after.equals(expected)).toBe(true);
    expect(readElfInfo(after)?.runpath).toEqual(["/n/zlib/lib"]);
  });

  it("leaves a file alone when no item changes, empty items too", () => {
    const before = buildElf({ rpath: "/usr/lib::/x/pad/root/lib" });
    const after = Buffer.from(before);
    expect(relocateElf(after, search)).toBe(false);
    expect(after.equals(before)).toBe(true);
  });

  it("refuses a path that would grow, and does not begin to change the file", () => {
    const longer = makePrefixSearch([{ from: Buffer.from("/p"), to: Buffer.from("/longer") }]);
    const before = buildElf({ rpath: "/p/lib", interpreter: "/p/ld.so" });
    const after = Buffer.from(before);
    expect(() => relocateElf(after, longer)).toThrow(expect.objectContaining({ code: "PREFIX_TOO_LONG" }));
    expect(after.equals(before)).toBe(true);
  });

  it("uses the room of dropped empty items", () => {
    const longer = makePrefixSearch([{ from: Buffer.from("/p"), to: Buffer.from("/longer") }]);
    const file = buildElf({ rpath: "/p/lib:::::::::::" });
    relocateElf(file, longer);
    expect(readElfInfo(file)?.rpath).toEqual(["/longer/lib"]);
  });

  const skipped: Record<string, ElfRecipe> = {
    "an object file": { type: elf.ET_REL, rpath: "/pad/root/lib" },
    "a file with RPATH and RUNPATH": { rpath: "/pad/root/lib", runpath: "/pad/root/lib" },
    "a file with two string tables": { rpath: "/pad/root/lib", dynamic: [[elf.DT_STRTAB, 5]] },
    "a file without section headers": { rpath: "/pad/root/lib", withoutSections: true },
  };
  for (const [what, recipe] of Object.entries(skipped)) {
    it(`skips ${what}, as Spack does`, () => {
      expect(relocated(recipe).changed).toBe(false);
      expect(locateLoaderStrings(buildElf(recipe))).toBeUndefined();
    });
  }
});

describe("dropRedundantRunPaths", () => {
  it("keeps what exists and what begins with $", () => {
    const file = buildElf({ rpath: "/no:$ORIGIN/../lib::/yes:relative:$LIB/x:/no" });
    expect(dropRedundantRunPaths(file, (path) => path === "/yes")).toBe(true);
    expect(readElfInfo(file)?.rpath).toEqual(["$ORIGIN/../lib", "/yes", "$LIB/x"]);
  });

  it("may leave nothing", () => {
    const file = buildElf({ runpath: "/no" });
    expect(dropRedundantRunPaths(file, () => false)).toBe(true);
    expect(readElfInfo(file)?.runpath).toEqual([]);
    expect(file.includes("/no")).toBe(false);
  });

  it("changes nothing where nothing is redundant", () => {
    expect(dropRedundantRunPaths(buildElf({ rpath: "/a:/b" }), () => true)).toBe(false);
    expect(dropRedundantRunPaths(buildElf({}), () => false)).toBe(false);
  });
});
