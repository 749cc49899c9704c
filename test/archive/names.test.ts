import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { archivePath, bytesOfName, fileSystemPath, nameOfBytes } from "../../src/archive/names.ts";

describe("names as strings", () => {
  it("keeps every sequence of bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect([...bytesOfName(nameOfBytes(bytes))]).toEqual([...bytes]);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps every text as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(nameOfBytes(Buffer.from(text, "utf8"))).toBe(text);
      }),
    );
  });

  it.each([
    [[0xff], "\udcff"],
    [[0x61, 0xc3, 0x28], "a\udcc3("],
    [[0xed, 0xa0, 0x80], "\udced\udca0\udc80"],
    [[0xc0, 0xaf], "\udcc0\udcaf"],
    [[0xf4, 0x90, 0x80, 0x80], "\udcf4\udc90\udc80\udc80"],
    [[0xe2, 0x82, 0xac, 0xe2, 0x82], "€\udce2\udc82"],
    [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  ])("escapes what is not UTF-8 as Python does: %j", (bytes, text) => {
    expect(nameOfBytes(Buffer.from(bytes))).toBe(text);
  });

  it("refuses lone surrogates that stand for no byte", () => {
    expect(() => bytesOfName("a\ud800")).toThrow(RangeError);
    expect(() => bytesOfName("a\udc10")).toThrow(RangeError);
  });

  it("gives the file system bytes only where a string would not do", () => {
    expect(fileSystemPath("/a/ü")).toBe("/a/ü");
    expect(fileSystemPath("/a/\udcff")).toEqual(Buffer.from([0x2f, 0x61, 0x2f, 0xff]));
  });
});

describe("archivePath", () => {
  it.each([
    ["a/b", "a/b"],
    ["./a/b", "a/b"],
    ["a/b/", "a/b"],
    ["a//b/./c", "a/b/c"],
    ["./", ""],
    [".", ""],
    ["..a/b..", "..a/b.."],
    ["a/...", "a/..."],
  ])("%j becomes %j", (name, path) => {
    expect(archivePath(name, "refuse")).toBe(path);
  });

  it.each(["../a", "a/../b", "..", "a/..", "/a", "a\0b", "./../a"])("refuses %j", (name) => {
    expect(() => archivePath(name, "refuse")).toThrow(expect.objectContaining({ code: "ARCHIVE_UNSAFE" }));
  });

  it("drops a leading slash when asked", () => {
    expect(archivePath("//etc/passwd", "relative")).toBe("etc/passwd");
    expect(() => archivePath("/../etc", "relative")).toThrow();
  });
});
