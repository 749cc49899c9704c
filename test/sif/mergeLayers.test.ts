import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { applyLayer } from "../../src/archive/unpackEntries.ts";
import type { LayerTree } from "../../src/sif/layerTree.ts";
import { mergeLayers } from "../../src/sif/mergeLayers.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { directory, file, symlink } from "../support/hostImage.ts";
import { layerOf, layerOfBytes, tarOf } from "./layers.ts";

const owner = { uid: 0, gid: 0, mtime: 0 };
const hardlink = (path: string, target: string): Entry => ({
  type: "hardlink",
  path,
  mode: 0o644,
  target,
  ...owner,
});

/** What is seen in the end: path → what it is, with the content of files; names of one file have the same mark. */
async function seen(layers: readonly (readonly Entry[])[]): Promise<Record<string, string>> {
  const merged = await mergeLayers(await Promise.all(layers.map((entries) => layerOf(entries))));
  const found: Record<string, string> = {};
  for await (const entry of merged.entries()) {
    expect(found[entry.path]).toBeUndefined();
    if (entry.type === "file") {
      const parts: Uint8Array[] = [];
      for await (const part of entry.content) parts.push(part);
      found[entry.path] = `file ${entry.mode.toString(8)} ${Buffer.concat(parts)}`;
    } else if (entry.type === "hardlink") found[entry.path] = found[entry.target] ?? "nothing";
    else
      found[entry.path] = entry.type === "symlink" ? `-> ${entry.target}` : `dir ${entry.mode.toString(8)}`;
  }
  return found;
}

describe("mergeLayers", () => {
  it("lets later layers replace, hide and add", async () => {
    expect(
      await seen([
        [
          directory("a", 0o700),
          file("a/x", "1"),
          file("a/y", "2"),
          directory("b"),
          file("b/z", "3"),
          symlink("l", "a"),
        ],
        [
          file("a/.wh.x", ""),
          file("a/y", "new", 0o755),
          file("b/.wh..wh..opq", ""),
          file("b/n", "4"),
          file("l/via", "5"),
        ],
        [directory("a", 0o750)],
      ]),
    ).toEqual({
      a: "dir 750",
      "a/y": "file 755 new",
      "a/via": "file 644 5",
      b: "dir 755",
      "b/n": "file 644 4",
      l: "-> a",
    });
  });

  it("keeps a file for its other names when one is replaced or removed, across layers", async () => {
    expect(
      await seen([
        [file("one", "content"), hardlink("two", "one")],
        [hardlink("three", "one"), file(".wh.one", "")],
        [file("two", "other")],
      ]),
    ).toEqual({ three: "file 644 content", two: "file 644 other" });
  });

  it("gives the same as writing the layers to a directory", async () => {
    // Links are called a and b. Whiteouts are below c and d only: the writer makes the directory that a dangling link on the
    // way to a whiteout leads to, which has no use.
    const path = fc
      .array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join("/"));
    const link = fc
      .tuple(fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 2 }), fc.constantFrom("a", "b"))
      .map(([parts, last]) => [...parts, last].join("/"));
    const whiteout = fc
      .tuple(
        fc.array(fc.constantFrom("c", "d"), { maxLength: 2 }),
        fc.constantFrom(".wh.a", ".wh.c", ".wh..wh..opq"),
      )
      .map(([parts, last]) => [...parts, last].join("/"));
    const target = fc.constantFrom("a", "../b", "/c", "a/b", "c", "d/c");
    const entry = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant("file"), path, fc.nat(9)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant("directory"), path, fc.constant(0)) },
      { weight: 2, arbitrary: fc.tuple(fc.constant("file"), whiteout, fc.constant(0)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant("symlink"), link, target) },
      {
        weight: 1,
        // A link in the place of the folder that its target is in would take the target away.
        arbitrary: fc
          .tuple(fc.constant("hardlink"), path, target)
          .filter(([, at, to]) => !to.replace(/^[./]+/, "").startsWith(`${at}/`)),
      },
    );
    type Made = readonly [string, string, string | number];
    const make = ([type, at, detail]: Made): Entry => {
      if (type === "directory") return directory(at);
      if (type === "symlink") return symlink(at, String(detail));
      if (type === "hardlink") return hardlink(at, String(detail).replace(/^[./]+/, ""));
      return file(at, String(detail));
    };
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(entry, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        async (layers) => {
          const folder = mkdtempSync(join(tmpdir(), "spacktainers-merge-"));
          try {
            const applied = await outcome(async () => {
              for (const layer of layers) await applyLayer(folder, stream(layer.map(make)));
              return snapshotOf(folder);
            });
            const merged = await outcome(() => seen(layers.map((layer) => layer.map(make))));
            expect(merged).toEqual(applied);
            if (typeof applied !== "string") compared++;
          } finally {
            rmSync(folder, { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(compared).toBeGreaterThan(50);
  });

  it("says which attributes of what is left it does not have", async () => {
    const dressed = (path: string): Entry => ({
      ...file(path, "x"),
      xattrs: new Map([["user.note", Buffer.from("1")]]),
    });
    const lower = await layerOf([directory("a"), dressed("a/kept"), dressed("a/gone"), dressed("a/plain")]);
    const upper = await layerOf([file("a/.wh.gone", ""), file("a/plain", "y")]);
    const { leftOut } = await mergeLayers([lower, upper]);
    expect(leftOut.message("the file")).toBe(
      'the file does not have the image\'s extended attributes ("user.note of a/kept")',
    );
    expect(
      (await mergeLayers([await layerOf([file("b", "x")])])).leftOut.message("the file"),
    ).toBeUndefined();
  });

  it("shares what several names have: one file, then links", async () => {
    const merged = await mergeLayers([
      await layerOf([file("a", "x"), hardlink("b", "a"), hardlink("c", "b")]),
    ]);
    const types: string[] = [];
    for await (const entry of merged.entries()) types.push(`${entry.type} ${entry.path}`);
    expect(types).toEqual(["file a", "hardlink b", "hardlink c"]);
    expect(merged).toMatchObject({ bytes: 1, files: 3 });
  });

  it("puts own files on top and tells what is below", async () => {
    const below = await layerOf([file("etc/name", "below"), directory("d")]);
    const merged = await mergeLayers([below], {
      remember: (path) => path === "etc/name",
      own: (tree: LayerTree, read) => {
        expect([tree.has("d"), tree.has("no"), tree.isDirectory("d"), tree.isDirectory("etc/name")]).toEqual([
          true,
          false,
          true,
          false,
        ]);
        const text = `${read("etc/name")} and above`;
        return [{ type: "file", path: "etc/name", mode: 0o600, mtime: 7, content: Buffer.from(text) }];
      },
    });
    const contents: string[] = [];
    for await (const entry of merged.entries())
      if (entry.type === "file")
        for await (const part of entry.content) contents.push(`${entry.path} ${Buffer.from(part)}`);
    expect(contents).toEqual(["etc/name below and above"]);
  });

  it("compares digests, whatever comes after the archive", async () => {
    const tar = await tarOf([file("a", "x")]);
    const { digest } = await layerOf([file("a", "y")]);
    const bad = layerOfBytes(gzipSync(tar), "layer", { digest });
    await expect(mergeLayers([bad])).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    const padded = layerOfBytes(Buffer.concat([tar, Buffer.alloc(9000)]));
    expect((await mergeLayers([padded])).files).toBe(1);
  });

  it("compares what layers unpack to as well, whatever their own digests are", async () => {
    const [tar, other] = await Promise.all([tarOf([file("a", "x")]), tarOf([file("a", "y")])]);
    const honest = layerOfBytes(gzipSync(tar), "layer", { diffId: digestOf(tar) });
    expect((await mergeLayers([honest])).files).toBe(1);
    const lying = layerOfBytes(gzipSync(tar), "layer", { diffId: digestOf(other) });
    await expect(mergeLayers([lying])).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      place: { file: "layer" },
    });
  });

  it("notices a layer that changes between the two readings", async () => {
    const [first, second] = await Promise.all([tarOf([file("a", "xx")]), tarOf([file("a", "xyz")])]);
    let opened = 0;
    const merged = await mergeLayers([
      {
        ...layerOfBytes(first),
        async *tar() {
          yield opened++ === 0 ? first : second;
        },
      },
    ]);
    await expect(
      (async () => {
        for await (const _ of merged.entries());
      })(),
    ).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH", message: "a layer changed while it was read" });
  });

  it("says which layer is bad", async () => {
    const layers = [await layerOf([file("f", "x")], "lower"), await layerOf([file("f/x", "y")], "upper")];
    await expect(mergeLayers(layers)).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
      place: { file: "upper" },
    });
    await expect(mergeLayers([await layerOf([hardlink("a", "no")], "links")])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      place: { file: "links" },
    });
  });
});

async function* stream(entries: readonly Entry[]) {
  yield* entries;
}

/** The result, or that the layers were refused. */
async function outcome<T>(action: () => Promise<T>): Promise<T | string> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof SpacktainersError) return "refused";
    throw error;
  }
}

function snapshotOf(root: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const at = join(root, path);
    const facts = lstatSync(at);
    if (facts.isSymbolicLink()) found[path] = `-> ${readlinkSync(at)}`;
    else if (facts.isDirectory()) Object.assign(found, { [path]: "dir 755" }, snapshotOf(root, path));
    else found[path] = `file 644 ${readFileSync(at, "utf8")}`;
  }
  return found;
}
