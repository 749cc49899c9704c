import { describe, expect, it } from "vitest";
import { contentOf } from "../../src/archive/content.ts";
import { type Entry, imageMtime } from "../../src/archive/entry.ts";
import { parseModeChange } from "../../src/dockerfile/fileMode.ts";
import { ownerOf, readLowerFiles } from "../../src/dockerfile/lowerFiles.ts";
import { parsePorts } from "../../src/dockerfile/ports.ts";
import { settleChanges } from "../../src/dockerfile/settleChanges.ts";

const entry = (path: string, more: Partial<Entry> = {}): Entry =>
  ({
    type: "file",
    path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 5,
    size: 0,
    content: contentOf(Buffer.alloc(0)),
    ...more,
  }) as Entry;

async function* stream(...entries: readonly Entry[]) {
  yield* entries;
}

describe("modes", () => {
  it.each([
    ["755", 0o600, false, 0o755],
    ["4755", 0o600, false, 0o4755],
    ["u=rwX,go=rX", 0o600, false, 0o644],
    ["u=rwX,go=rX", 0o700, true, 0o755],
    ["a+x", 0o644, false, 0o755],
    ["go-rwx", 0o755, false, 0o700],
    ["g=u", 0o640, false, 0o660],
    ["u+s,+t", 0o755, false, 0o5755],
  ])("%s of %o", (text, mode, isDirectory, expected) => {
    expect(parseModeChange(text)?.(mode, isDirectory)).toBe(expected);
  });
  it.each(["", "8", "77777", "x+u", "u=q", "u"])("are none: %j", (text) => {
    expect(parseModeChange(text)).toBeUndefined();
  });
});

describe("ports", () => {
  it("are numbers and ranges with a protocol", () => {
    expect(parsePorts("80")).toEqual(["80/tcp"]);
    expect(parsePorts("53/UDP")).toEqual(["53/udp"]);
    expect(parsePorts("8000-8002/tcp")).toEqual(["8000/tcp", "8001/tcp", "8002/tcp"]);
    for (const wrong of ["", "x", "70000", "3-2", "80/http", "127.0.0.1:80"])
      expect(parsePorts(wrong)).toBeUndefined();
  });
});

describe("owners", () => {
  const passwd = "root:x:0:0::/root:/bin/sh\nada:x:1000:100::/:/bin/sh\n";
  const layer = (...entries: readonly Entry[]) => ({ entries: () => stream(...entries) });
  const text = (path: string, content: string): Entry =>
    entry(path, { size: content.length, content: contentOf(Buffer.from(content)) } as Partial<Entry>);

  it("are those of the highest layer, and go with what is removed", async () => {
    const { owners } = await readLowerFiles([
      layer(
        entry("a", { uid: 1 }),
        entry("b", { uid: 1 }),
        entry("c/d", { gid: 5 }),
        entry("e/f", { uid: 9 }),
      ),
      layer(
        entry("a"),
        entry(".wh.b"),
        entry("c/.wh.d"),
        entry("e/.wh..wh..opq"),
        entry("g", { uid: 3, gid: 4 }),
      ),
    ]);
    expect([...owners]).toEqual([["g", { uid: 3, gid: 4 }]]);
  });

  it("are named by the image's users and groups", async () => {
    const facts = await readLowerFiles([
      layer(text("etc/passwd", passwd), text("etc/group", "staff:x:50:\n")),
    ]);
    const owner = (name: string) => ownerOf({ text: name, line: 2, column: 3 }, facts, "f");
    expect(owner("ada")).toEqual({ uid: 1000, gid: 100 });
    expect(owner("ada:staff")).toEqual({ uid: 1000, gid: 50 });
    expect(owner("7")).toEqual({ uid: 7, gid: 7 });
    expect(owner("7:8")).toEqual({ uid: 7, gid: 8 });
    expect(owner(":staff")).toEqual({ uid: 0, gid: 50 });
    expect(() => owner("eve")).toThrow(expect.objectContaining({ place: { file: "f", line: 2, column: 3 } }));
    expect(() => owner("ada:eves")).toThrow(/no group eves/);
  });
});

describe("what a command changed", () => {
  it("is without traces of package managers and of this machine", async () => {
    const kept: string[] = [];
    const entries = stream(
      entry("var/lib/apt/lists", { type: "directory" } as Partial<Entry>),
      entry("var/lib/apt/lists/partial", { type: "directory" } as Partial<Entry>),
      entry("var/lib/apt/lists/x_Packages"),
      entry("var/lib/apt/lists/.wh.old"),
      entry("var/cache/apt/archives/a.deb"),
      entry("var/log/dpkg.log"),
      entry("var/log/mine.log"),
      entry("var/cache/ldconfig/aux-cache"),
      entry("var/lib/dpkg/status"),
      entry("var/lib/dpkg/status-old"),
      entry("etc/machine-id", { size: 2, content: contentOf(Buffer.from("ab")) } as Partial<Entry>),
      entry("opt/theirs", { uid: 0 }),
    );
    for await (const one of settleChanges(entries, new Map([["opt/theirs", { uid: 5, gid: 6 }]]))) {
      expect(one.mtime).toBe(imageMtime);
      kept.push(`${one.path}${one.type === "file" && one.size > 0 ? " full" : ""} ${one.uid}:${one.gid}`);
    }
    expect(kept).toEqual([
      "var/lib/apt/lists 0:0",
      "var/lib/apt/lists/partial 0:0",
      "var/lib/apt/lists/.wh.old 0:0",
      "var/log/mine.log 0:0",
      "var/lib/dpkg/status 0:0",
      "etc/machine-id 0:0",
      "opt/theirs 5:6",
    ]);
  });
});
