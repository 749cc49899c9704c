import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CachedLibrary, writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { readLdSoCache } from "../../src/view/readLdSoCache.ts";

const library = fc
  .record({
    name: fc.stringMatching(/^lib[a-z0-9]{1,8}\.so\.[0-9]{1,3}$/),
    folder: fc.constantFrom("/lib", "/opt/view/lib"),
  })
  .map(({ name, folder }): CachedLibrary => ({ name, path: `${folder}/${name}`, flags: 0x0303 }));
const key = ({ name, path }: CachedLibrary): string => `${name} ${path}`;

describe("readLdSoCache", () => {
  it("reads what was written", () => {
    fc.assert(
      fc.property(fc.uniqueArray(library, { selector: key, maxLength: 30 }), (libraries) => {
        const read = readLdSoCache(writeLdSoCache(libraries), "cache");
        expect(read.map(key).sort()).toEqual(libraries.map(key).sort());
        expect(read.every(({ flags }) => flags === 0x0303)).toBe(true);
      }),
    );
  });

  it("reads the new format behind the old one", () => {
    const fresh = writeLdSoCache([
      { name: "libmpi.so.12", path: "/opt/view/lib/libmpi.so.12", flags: 0x0303 },
    ]);
    const old = Buffer.alloc(16 + 3 * 12);
    old.write("ld.so-1.7.0", 0, "latin1");
    old.writeUInt32LE(3, 12);
    const padded = Buffer.concat([old, Buffer.alloc((8 - (old.length % 8)) % 8), fresh]);
    expect(readLdSoCache(padded, "cache")).toEqual(readLdSoCache(fresh, "cache"));
  });

  it("refuses damage, and never reads outside", () => {
    const whole = writeLdSoCache([{ name: "liba.so.1", path: "/lib/liba.so.1", flags: 0x0303 }]);
    const needed = 48 + 24 + "/lib/liba.so.1".length;
    for (let length = 0; length <= needed; length++)
      expect(() => readLdSoCache(whole.subarray(0, length), "cache")).toThrow(/cache of the dynamic loader/);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (changes) => {
          const damaged = Buffer.from(whole);
          for (const [at, value] of changes) damaged[at] = value;
          try {
            readLdSoCache(damaged, "cache");
          } catch (error) {
            expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
          }
        },
      ),
    );
  });

  it.skipIf(!existsSync("/etc/ld.so.cache") || !existsSync("/sbin/ldconfig"))(
    "agrees with ldconfig -p",
    () => {
      const shown = execFileSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" })
        .split("\n")
        .flatMap((line) => {
          const match = /^\t(\S+) \(.*\) => (.*)$/.exec(line);
          return match === null ? [] : [`${match[1]} ${match[2]}`];
        });
      expect(readLdSoCache(readFileSync("/etc/ld.so.cache"), "cache").map(key)).toEqual(shown);
    },
  );
});
