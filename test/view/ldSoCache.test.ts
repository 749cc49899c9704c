import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FileTree } from "../../src/view/fileTree.ts";
import {
  type CachedLibrary,
  compareLibraryNames,
  librariesIn,
  libraryFlags,
  writeLdSoCache,
} from "../../src/view/ldSoCache.ts";
import { cacheDirectories, parseLdSoConf, viewLdSoConf, viewLdSoConfPath } from "../../src/view/ldSoConf.ts";
import { elf, inventory } from "./entries.ts";

/** The loader's own search in a cache: the paths for a name, in the order it would try them. */
function search(cache: Buffer, name: string): { path: string; flags: number }[] {
  const text = (offset: number): string => cache.toString("utf8", offset, cache.indexOf(0, offset));
  const count = cache.readUInt32LE(20);
  const record = (index: number) => {
    const at = 48 + 24 * index;
    return {
      flags: cache.readInt32LE(at),
      key: text(cache.readUInt32LE(at + 4)),
      path: text(cache.readUInt32LE(at + 8)),
    };
  };
  let left = 0;
  let right = count - 1;
  while (left <= right) {
    const middle = (left + right) >> 1;
    const order = compareLibraryNames(name, record(middle).key);
    if (order === 0) {
      let first = middle;
      while (first > 0 && compareLibraryNames(name, record(first - 1).key) === 0) first--;
      const found = [];
      for (let at = first; at < count && compareLibraryNames(name, record(at).key) === 0; at++) {
        const { path, flags } = record(at);
        found.push({ path, flags });
      }
      return found;
    }
    if (order < 0) left = middle + 1;
    else right = middle - 1;
  }
  return [];
}

describe("ld.so.cache", () => {
  test.each([
    ["libz.so.1", "libz.so.1", 0],
    ["libz.so.10", "libz.so.9", 1],
    ["libz.so.1", "libz.so", 1],
    ["liba.so", "libb.so", -1],
    ["lib1.so", "libx.so", 1],
    ["libx.so", "lib1.so", -1],
    ["libz.so.007", "libz.so.7", 0],
    ["libz.so.4294967297", "libz.so.1", 0],
  ])("the loader's order of %s and %s", (a, b, expected) => {
    expect(Math.sign(compareLibraryNames(a, b))).toBe(expected);
    expect(Math.sign(compareLibraryNames(b, a))).toBe(expected === 0 ? 0 : -expected);
  });

  test("the header, byte by byte", () => {
    const cache = writeLdSoCache([{ name: "libz.so.1", path: "/lib/libz.so.1", flags: 0x0303 }]);
    expect(cache.toString("latin1", 0, 20)).toBe("glibc-ld.so.cache1.1");
    expect([cache.readUInt32LE(20), cache.readUInt32LE(24), cache.readUInt8(28)]).toEqual([1, 15, 2]);
    const extension = cache.readUInt32LE(32);
    expect(extension % 4).toBe(0);
    expect([cache.readUInt32LE(extension), cache.readUInt32LE(extension + 4)]).toEqual([0xeaa42174, 1]);
    expect(cache.readUInt32LE(extension + 16) + cache.readUInt32LE(extension + 20)).toBe(cache.length);
    // The name is the end of the path.
    expect(cache.readUInt32LE(52) - cache.readUInt32LE(56)).toBe("/lib/".length);
  });

  test("the loader finds every library, the important one first", () => {
    const name = fc
      .tuple(fc.constantFrom("a", "b", "gé", "z1", "z"), fc.nat(30))
      .map(([stem, n]) => `lib${stem}.so.${n}`);
    const library = fc.record({
      name,
      path: fc
        .tuple(fc.constantFrom("/lib", "/usr/lib", "/opt/view/lib"), name)
        .map((parts) => parts.join("/")),
      flags: fc.constantFrom(0x0303, 0x0003, 0x0a03),
    });
    fc.assert(
      fc.property(fc.array(library, { maxLength: 60 }), (libraries: CachedLibrary[]) => {
        const cache = writeLdSoCache(libraries);
        expect(writeLdSoCache(libraries).equals(cache)).toBe(true);
        for (const { name: wanted, flags } of libraries) {
          const same = (one: { flags: number }): boolean => one.flags === flags;
          const expected = libraries.filter((one) => one.name === wanted).filter(same);
          expect(
            search(cache, wanted)
              .filter(same)
              .map((one) => one.path),
          ).toEqual(expected.map((one) => one.path));
        }
        expect(search(cache, "libnone.so.1")).toEqual([]);
      }),
    );
  });

  test("which files are libraries, and under which names", () => {
    const z = elf({ soname: "libz.so.1" });
    const tree = new FileTree([
      inventory({
        "usr/lib/libz.so.1.3": z,
        "usr/lib/libz.so.1": "-> libz.so.1.3",
        "usr/lib/libz.so": "-> libz.so.1",
        "usr/lib/libother.so": "-> libz.so.1",
        "usr/lib/libnoname.so": elf(),
        "usr/lib/libprogram.so": elf({ type: "executable" }),
        "usr/lib/libobject.so": elf({ type: "relocatable" }),
        "usr/lib/libsparc.so": elf({ machine: 2 }),
        "usr/lib/libarm.so": elf({ machine: 183 }),
        "usr/lib/libscript.so": "INPUT(x)",
        "usr/lib/libz.so.1-gdb.py": "#!/bin/sh",
        "usr/lib/plugin.so": elf(),
        "usr/lib/ld-linux-x86-64.so.2": elf({ soname: "ld-linux-x86-64.so.2" }),
        "usr/lib/libhard.so.1": "= usr/lib/libz.so.1.3",
        "usr/lib/libonly.so.2.5": elf({ soname: "libonly.so.2" }),
        "usr/lib/libodd.so": elf({ soname: "../odd" }),
        lib: "-> usr/lib",
        "opt/view/lib/libz.so.1": "-> /usr/lib/libz.so.1.3",
      }),
    ]);
    const found = librariesIn(tree, ["/lib", "/usr/lib", "/nowhere", "/opt/view/lib"]);
    expect(found.map(({ name, path, flags }) => `${name} ${path} ${flags.toString(16)}`).sort()).toEqual([
      "ld-linux-x86-64.so.2 /lib/ld-linux-x86-64.so.2 303",
      "libarm.so /lib/libarm.so a03",
      "libnoname.so /lib/libnoname.so 303",
      "libodd.so /lib/libodd.so 303",
      "libonly.so.2 /lib/libonly.so.2.5 303",
      "libz.so /lib/libz.so 303",
      "libz.so.1 /lib/libz.so.1 303",
      "libz.so.1 /opt/view/lib/libz.so.1 303",
    ]);
  });

  test("kinds of machines", () => {
    expect(libraryFlags({ machine: 62, bits: 64 })).toBe(0x0303);
    expect(libraryFlags({ machine: 183, bits: 64 })).toBe(0x0a03);
    expect(libraryFlags({ machine: 3, bits: 32 })).toBe(3);
    expect(libraryFlags({ machine: 9999, bits: 64 })).toBeUndefined();
  });
});

describe("ld.so.conf", () => {
  const files = new Map([
    ["/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n# comment\n/opt/last/ # why\n"],
    ["/etc/ld.so.conf.d/b.conf", "/b\n/a=libc6\nhwcap 0 nosegneg\nrelative\n"],
    ["/etc/ld.so.conf.d/a.conf", "/a\ninclude more/*\n"],
    ["/etc/ld.so.conf.d/more/x", "/x\ninclude /etc/ld.so.conf\n"],
    ["/etc/ld.so.conf.d/.hidden.conf", "/hidden\n"],
    ["/etc/ld.so.conf.d/c.txt", "/text\n"],
  ]);
  const image = {
    read: (path: string) => files.get(path),
    list: (folder: string) =>
      [...files.keys()].flatMap((path) => {
        const name = path.slice(folder.length + 1);
        return path.startsWith(`${folder}/`) && !name.includes("/") ? [name] : [];
      }),
  };

  test("includes are followed in order, and end", () => {
    expect(parseLdSoConf(image)).toEqual(["/a", "/x", "/b", "/opt/last"]);
    expect(parseLdSoConf(image, "/nothing")).toEqual([]);
  });

  test("what would take for ever ends at once", () => {
    const names = Array.from({ length: 40 }, (_, at) => `${"a".repeat(100)}${at}.conf`);
    const loop = {
      list: () => names,
      read: () => `include again/*.conf\ninclude ${"*a".repeat(40)}b*.conf\n`,
    };
    expect(parseLdSoConf(loop)).toEqual([]);
    const blanks = `/x${" ".repeat(200_000)}y\n/${"/".repeat(200_000)}z\n`;
    expect(parseLdSoConf({ list: () => [], read: () => blanks })).toHaveLength(2);
  });

  test("our own file is read, after the distribution's", () => {
    expect(viewLdSoConfPath).toMatch(/^\/etc\/ld\.so\.conf\.d\/[^.].*\.conf$/);
    expect(viewLdSoConfPath > "/etc/ld.so.conf.d/x86_64-linux-gnu.conf").toBe(true);
    const read = parseLdSoConf({ read: () => viewLdSoConf("/opt/view"), list: () => [] });
    expect(read).toEqual(["/opt/view/lib", "/opt/view/lib64"]);
  });

  test("the base's folders come before the view's", () => {
    const folders = cacheDirectories("arm64", "/opt/view", ["/site", "/opt/view/lib"]);
    expect(folders[0]).toBe("/site");
    expect(folders).toContain("/usr/lib/aarch64-linux-gnu");
    expect(folders.slice(-2)).toEqual(["/opt/view/lib", "/opt/view/lib64"]);
    expect(cacheDirectories("amd64", undefined)).toContain("/usr/local/lib");
  });
});
