import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { imageMtime } from "../../src/archive/entry.ts";
import { applyLayer, layerMeaning, unpackEntries } from "../../src/archive/unpackEntries.ts";
import { directory, entriesOf, file, hardlink, symlink } from "./streams.ts";

let scratch: string;
let root: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-unpack-"));
  root = join(scratch, "root");
  mkdirSync(root);
  writeFileSync(join(scratch, "secret"), "untouched");
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const unpack = (entries: Entry[], options = {}) => unpackEntries(root, entriesOf(entries), options);
const apply = (...entries: Entry[]) => applyLayer(root, entriesOf(entries));
const text = (path: string) => readFileSync(join(root, path), "utf8");
const names = (path = "") => readdirSync(join(root, path)).sort();

describe("unpackEntries", () => {
  it("writes files, directories and links with their modes and times, whatever the umask", async () => {
    const umask = process.umask(0o077);
    try {
      const summary = await unpack([
        directory("d", 0o2755),
        file("d/f", "content", { mode: 0o4755, mtime: 1000 }),
        file("empty", "", { mode: 0o600 }),
        symlink("l", "/nowhere/at all"),
        hardlink("h", "d/f"),
        directory("closed", 0o555),
        file("closed/inside", "x"),
        file("implicit/parent/f", "y"),
      ]);
      expect(summary).toEqual({ entries: 8, bytes: 9 });
    } finally {
      process.umask(umask);
    }
    expect(text("d/f")).toBe("content");
    const facts = statSync(join(root, "d/f"));
    expect([facts.mode & 0o7777, facts.mtimeMs, facts.nlink]).toEqual([0o4755, 1_000_000, 2]);
    expect(statSync(join(root, "d")).mode & 0o7777).toBe(0o2755);
    expect(statSync(join(root, "d")).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(root, "closed")).mode & 0o7777).toBe(0o555);
    expect(statSync(join(root, "implicit/parent")).mode & 0o7777).toBe(0o755);
    expect(readlinkSync(join(root, "l"))).toBe("/nowhere/at all");
    expect(lstatSync(join(root, "l")).mtimeMs).toBe(1_700_000_000_000);
    expect(statSync(join(root, "h")).ino).toBe(facts.ino);
    chmodSync(join(root, "closed"), 0o755);
  });

  it("writes names that are not UTF-8 as the bytes they are", async () => {
    await unpack([file("d\udcff/f\udcfe", "x"), symlink("s", "t\udcfd"), directory("d\udcff", 0o700)]);
    const inner = readdirSync(root, { encoding: "buffer" }).map((name) => name.toString("latin1"));
    expect(inner.sort()).toEqual(["d\xff", "s"]);
    expect(readlinkSync(join(root, "s"), { encoding: "buffer" })).toEqual(Buffer.from("t\xfd", "latin1"));
  });

  it.each<[string, Entry[]]>([
    ["a file through a link to outside", [symlink("d", ".."), file("d/secret", "overwritten")]],
    ["a file through an absolute link", [symlink("d", "/tmp"), file("d/spacktainers-escape", "x")]],
    ["a directory through a link", [symlink("d", ".."), directory("d/new")]],
    ["a link through a link", [directory("a"), symlink("a/up", ".."), symlink("a/up/b", "x")]],
    ["a hard link to a file outside, through a link", [symlink("d", ".."), hardlink("h", "d/secret")]],
    ["a file below a file", [file("f", "x"), file("f/g", "y")]],
  ])("refuses %s", async (_, entries) => {
    await expect(unpack(entries)).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
    expect(readFileSync(join(scratch, "secret"), "utf8")).toBe("untouched");
    expect(readdirSync(scratch).sort()).toEqual(["root", "secret"]);
  });

  it("does not write through a link that stands where a file goes", async () => {
    await unpack([symlink("f", "../secret"), file("f", "mine")]);
    expect(text("f")).toBe("mine");
    expect(lstatSync(join(root, "f")).isFile()).toBe(true);
    expect(readFileSync(join(scratch, "secret"), "utf8")).toBe("untouched");
  });

  it("does not change the mode of what a link points to when a directory of its name follows", async () => {
    chmodSync(join(scratch, "secret"), 0o640);
    await unpack([symlink("x", "../secret"), directory("x", 0o777), file("x/y", "1")]);
    expect(statSync(join(scratch, "secret")).mode & 0o777).toBe(0o640);
    expect(text("x/y")).toBe("1");
  });

  it("does not write through a hard link into a file that came earlier", async () => {
    await unpack([file("a", "first"), hardlink("b", "a"), file("b", "second")]);
    expect([text("a"), text("b")]).toEqual(["first", "second"]);
  });

  it("refuses what is there already, unless told to overwrite; links there are not followed either way", async () => {
    writeFileSync(join(root, "f"), "old");
    symlinkSync(scratch, join(root, "out"));
    await expect(unpack([file("f", "new")])).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(text("f")).toBe("old");
    await unpack([file("f", "new")], { overwrite: true });
    expect(text("f")).toBe("new");
    await expect(unpack([file("out/secret", "new")], { overwrite: true })).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
    });
    mkdirSync(join(root, "full/er"), { recursive: true });
    await expect(unpack([file("full", "new")], { overwrite: true })).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
  });

  it("adds to directories that are there", async () => {
    mkdirSync(join(root, "d"));
    writeFileSync(join(root, "d/old"), "old");
    await unpack([directory("d"), file("d/new", "new")]);
    expect(names("d")).toEqual(["new", "old"]);
  });

  it("refuses hard links to nothing and to directories, and content of another length", async () => {
    await expect(unpack([hardlink("h", "nothing")])).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await expect(unpack([directory("d"), hardlink("h", "d")])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
    await expect(unpack([file("f", "abc", { size: 2 })])).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await expect(unpack([file("g", "abc", { size: 4 })])).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("writes large files in pieces", async () => {
    const bytes = Buffer.alloc(5_000_000, "abcdefg");
    await unpack([file("large", bytes)]);
    expect(readFileSync(join(root, "large")).equals(bytes)).toBe(true);
  });
});

describe("layers", () => {
  it.each([
    ["a/b", { kind: "entry" }],
    ["a/.wh.b", { kind: "removed", path: "a/b" }],
    [".wh.b", { kind: "removed", path: "b" }],
    ["a/.wh..wh..opq", { kind: "opaque", path: "a" }],
    ["a/.wh..wh.plnk", { kind: "ignored" }],
    ["a/.wh.", { kind: "ignored" }],
    ["a/.wh...", { kind: "ignored" }],
  ])("%s", (path, meaning) => {
    expect(layerMeaning(path)).toEqual(meaning);
  });

  it("replaces and removes what lower layers had", async () => {
    await apply(
      directory("d"),
      file("d/a", "1"),
      file("d/b", "1"),
      directory("gone"),
      file("gone/x", "1"),
      file("file", "1"),
      directory("dir"),
      file("dir/x", "1"),
      symlink("link", "d"),
    );
    await apply(
      file("d/a", "2"),
      file("d/.wh.b", ""),
      file(".wh.gone", ""),
      directory("file"),
      file("file/x", "2"),
      file("dir", "2"),
      directory("link"),
    );
    expect(names()).toEqual(["d", "dir", "file", "link"]);
    expect(names("d")).toEqual(["a"]);
    expect([text("d/a"), text("file/x"), text("dir")]).toEqual(["2", "2", "2"]);
    expect(lstatSync(join(root, "link")).isDirectory()).toBe(true);
  });

  it("hides only lower layers, wherever in its layer a whiteout stands", async () => {
    await apply(directory("d"), file("d/low", "1"), directory("d/sub"), file("d/sub/low", "1"));
    await apply(directory("d"), file("d/new", "2"), file("d/sub/new", "2"), file("d/.wh..wh..opq", ""));
    expect(names("d")).toEqual(["new", "sub"]);
    expect(names("d/sub")).toEqual(["new"]);
    await apply(file("d/new", "3"), file("d/.wh.new", ""), file("nowhere/.wh.x", ""));
    expect(text("d/new")).toBe("3");
  });

  it("follows links among directories with the tree as the root", async () => {
    await apply(
      directory("usr/lib"),
      symlink("lib", "usr/lib"),
      symlink("abs", "/usr/lib"),
      symlink("up", "../../../usr"),
    );
    await apply(file("lib/a", "1"), file("abs/b", "1"), file("up/lib/c", "1"), hardlink("lib/d", "abs/b"));
    expect(names("usr/lib")).toEqual(["a", "b", "c", "d"]);
    await apply(file("lib/.wh.a", ""));
    expect(names("usr/lib")).toEqual(["b", "c", "d"]);
  });

  it("makes nothing to take something away from", async () => {
    await apply(symlink("dangling", "no/where"), symlink("self", "self/x"), directory("d"));
    await apply(file("dangling/.wh.x", ""), file("nowhere/.wh.x", ""), file("d/dangling/.wh..wh..opq", ""));
    expect(names()).toEqual(["d", "dangling", "self"]);
    expect(names("d")).toEqual([]);
    await expect(apply(file("self/.wh.x", ""))).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
  });

  it("never leaves the tree by a link", async () => {
    await apply(symlink("out", "../.."), symlink("abs", scratch), file("out/inside", "x"));
    expect(text("inside")).toBe("x");
    await apply(file("abs/new", "x"));
    expect(readdirSync(scratch).sort()).toEqual(["root", "secret"]);
    await apply(file("out/.wh.secret", ""));
    expect(readFileSync(join(scratch, "secret"), "utf8")).toBe("untouched");
  });

  it("refuses circles of links", async () => {
    await expect(apply(symlink("a", "b"), symlink("b", "a"), file("a/x", "1"))).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
    });
  });

  it("works in directories their owner may not write to", async () => {
    await apply(directory("d", 0o555), file("d/a", "1", { mode: 0o444 }));
    await apply(file("d/b", "2"), file("d/a", "2"));
    expect(statSync(join(root, "d")).mode & 0o777).toBe(0o555);
    expect([text("d/a"), text("d/b")]).toEqual(["2", "2"]);
    await apply(file(".wh.d", ""));
    expect(names()).toEqual([]);
  });

  it("takes times before 1970 for what they are", async () => {
    await apply(directory("d"), file("d/f", "", { mtime: -101 }), symlink("d/l", "f"));
    expect(statSync(join(root, "d/f")).mtimeMs).toBe(-101_000);
  });

  it("leaves no time of its own: directories have that of the last layer that names them", async () => {
    const old = 1_700_000_000;
    const layers = [
      [directory("d"), directory("d/sub"), directory("opaque"), directory("removed"), file("removed/x", "x")],
      [file("d/sub/new", ""), file("implicit/parent/x", ""), file("opaque/.wh..wh..opq", "")],
      [file("removed/.wh.x", ""), file("d/.wh.sub", ""), file("opaque/x", "")],
    ];
    for (const layer of layers) await apply(...layer);
    const times = ["d", "opaque", "removed", "implicit", "implicit/parent"].map((name) => {
      return statSync(join(root, name)).mtimeMs / 1000;
    });
    expect(times).toEqual([old, old, old, imageMtime, imageMtime]);
  });
});
