import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gzipJsonLine } from "../../src/archive/compressStream.ts";
import type { Inventory } from "../../src/archive/inventory.ts";
import type { BaseRecord } from "../../src/base/baseRecord.ts";
import {
  contentsOf,
  decodeBase,
  decodeInventories,
  encodeBase,
  formatContentsId,
  parseContentsId,
} from "../../src/publish/layerContents.ts";
import { digestOf } from "../../src/util/digest.ts";

const place = { url: "registry.example/tool" };
const inventory: Inventory = {
  entries: [
    { path: "opt", type: "directory", mode: 0o755, size: 0 },
    { path: "opt/a", type: "symlink", mode: 0o777, size: 0, target: "b" },
    {
      path: "opt/b",
      type: "file",
      mode: 0o644,
      size: 7,
      elf: {
        bits: 64,
        endian: "little",
        machine: 62,
        type: "dynamic",
        soname: "libb.so.1",
        needed: ["libc.so.6"],
        rpath: [],
        runpath: ["$ORIGIN"],
        versionsNeeded: { "libc.so.6": ["GLIBC_2.34"] },
        versionsDefined: [],
      },
    },
    { path: "opt/c", type: "file", mode: 0o755, size: 12, shebang: "/bin/sh", text: "#!/bin/sh\n" },
  ],
  recipes: [{ name: "b", own: true, text: "class B(Package):\n    pass\n" }],
};
const record = async (...parts: readonly object[]): Promise<Buffer> =>
  contentsOf(await Promise.all(parts.map((part) => gzipJsonLine(part)))).bytes;

describe("the record of a layer", () => {
  it("gives back what was put in, a part each", async () => {
    const bytes = await record(inventory, { entries: [] });
    expect(await decodeInventories(bytes, 2, place)).toEqual([inventory, { entries: [] }]);
  });

  it("is the same bytes whoever makes it", async () => {
    expect(digestOf(await record({ entries: [] }))).toBe(
      "sha256:b99cf3d394794757fab85ca55c0b22ad9b67b4fc5b5a411bbb3689e39a8613a9",
    );
  });

  it("gives back a base", async () => {
    const digest = digestOf("layer");
    const base: BaseRecord = {
      layers: [{ digest, size: 3, diffId: digest, mediaType: "x", inventory }],
      packages: [{ name: "libc6", version: "2.36", architecture: "amd64", digest, size: 5, archive: "main" }],
      libcVersion: "2.36",
      config: { env: ["A=b"], labels: { a: "b" }, cmd: ["/bin/sh"] },
    };
    expect(await decodeBase((await encodeBase(base)).bytes, place)).toEqual(base);
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["no gzip", Buffer.from("{}")],
    ["no JSON", gzipSync("{\n")],
    ["no line end", gzipSync('{"entries":[]}')],
    ["another form", gzipSync('{"entries":[{"path":"a"}]}\n')],
    ["a recipe without a text", gzipSync('{"entries":[],"recipes":[{"name":"a","own":true}]}\n')],
    ["a path that leads out", gzipSync('{"entries":[{"path":"../a","type":"file","mode":420,"size":0}]}\n')],
    ["an absolute path", gzipSync('{"entries":[{"path":"/a","type":"file","mode":420,"size":0}]}\n')],
    ["a key too many", gzipSync('{"entries":[],"x":1}\n')],
    ["a part too many", gzipSync('{"entries":[]}\n{"entries":[]}\n')],
    ["a bomb", gzipSync(Buffer.alloc(600 * 2 ** 20, 32))],
  ])("is refused when it is %s", async (_, bytes) => {
    await expect(decodeInventories(bytes, 1, place)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      place,
    });
  });

  it("is refused, never more, when bytes of it are changed", async () => {
    const bytes = await record(inventory);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        await decodeInventories(damaged, 1, place).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "ARCHIVE_INVALID" });
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe("the annotation that names a record", () => {
  it("is read as it is written", () => {
    const id = { digest: digestOf("x"), size: 12 };
    expect(parseContentsId(formatContentsId(id))).toEqual(id);
  });

  it("is passed over when it is none of ours", () => {
    const digest = digestOf("x");
    const texts = [undefined, "", digest, `${digest} `, `${digest} -1`, `${digest} 999999999`, "md5:1 2"];
    for (const text of texts) expect(parseContentsId(text)).toBeUndefined();
  });
});
