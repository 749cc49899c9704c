import { describe, expect, test } from "vitest";
import { compileExcludes, defaultExcludes } from "../../src/base/debian/excludes.ts";

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
