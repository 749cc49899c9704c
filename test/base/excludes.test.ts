import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileExcludes, defaultExcludes, matchesGlob } from "../../src/base/debian/excludes.ts";

describe("matchesGlob", () => {
  test.each([
    ["usr/share/man/*", "usr/share/man/man1/ls.1.gz", true],
    ["usr/share/man/*", "usr/share/man", false],
    ["*.so", "usr/lib/a.so", true],
    ["*.so", "usr/lib/a.so.1", false],
    ["a?c*", "abc", true],
    ["a**b*c", "axxbyyc", true],
    ["", "", true],
    ["*", "", true],
    ["a.c", "abc", false],
  ])("%j and %j: %s", (glob, text, matches) => expect(matchesGlob(glob, text)).toBe(matches));

  test("agrees with a regular expression", () => {
    const unit = fc.constantFrom("a", "b", "/", "*", "?");
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 }),
        (glob, text) => {
          const pattern = glob.replaceAll("/", "\\/").replaceAll("*", ".*").replaceAll("?", ".");
          expect(matchesGlob(glob, text)).toBe(new RegExp(`^(?:${pattern})$`, "s").test(text));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("is quick on what makes others slow", () => {
    expect(matchesGlob(`${"*a".repeat(50)}b`, "a".repeat(2000))).toBe(false);
  });
});

describe("compileExcludes", () => {
  const isExcluded = compileExcludes(defaultExcludes);

  test("keeps licences, drops manuals and translations", () => {
    expect(isExcluded("usr/share/doc/bash/copyright", "file")).toBe(false);
    expect(isExcluded("usr/share/doc/bash/changelog.gz", "file")).toBe(true);
    expect(isExcluded("usr/share/doc/bash", "directory")).toBe(true);
    expect(isExcluded("usr/share/doc/libgcc-s1", "symlink")).toBe(false);
    expect(isExcluded("usr/share/man/man1/a.1.gz", "file")).toBe(true);
    expect(isExcluded("usr/share/man", "directory")).toBe(false);
    expect(isExcluded("usr/lib/x86_64-linux-gnu/gconv/EUC-KR.so", "file")).toBe(true);
    expect(isExcluded("usr/lib/aarch64-linux-gnu/gconv/UTF-16.so", "file")).toBe(false);
    expect(isExcluded("usr/bin/bash", "file")).toBe(false);
  });

  test("the last match decides", () => {
    const own = compileExcludes(["/a/*", "!a/b", "a/b"]);
    expect(own("a/b", "file")).toBe(true);
    expect(compileExcludes([])("a", "file")).toBe(false);
  });
});
