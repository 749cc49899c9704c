import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPaxRecord } from "../../src/archive/pax.ts";
import type { ReadTarOptions } from "../../src/archive/readTar.ts";
import { block, end, read, where } from "./tarArchives.ts";

describe("what a tar archive may say", () => {
  it("takes PAX values before GNU names before the header", async () => {
    const records = Buffer.concat([
      formatPaxRecord("path", "from-pax"),
      formatPaxRecord("mtime", "12.75"),
      formatPaxRecord("uid", "70000"),
    ]).toString("latin1");
    const bytes = Buffer.concat([
      block({ name: Buffer.from("././@LongLink"), type: "L" }, "from-gnu\0"),
      block({ name: Buffer.from("x"), type: "x" }, records),
      block({ name: Buffer.from("plain") }, "abc"),
      block({ name: Buffer.from("next"), mtime: 5 }, "def"),
      end,
    ]);
    const items = await read(bytes);
    expect(items.map((item) => item.entry)).toMatchObject([
      { path: "from-pax", mtime: 12, uid: 70000, size: 3 },
      { path: "next", mtime: 5, uid: 0 },
    ]);
  });

  it("lets a global PAX header hold until it is taken back", async () => {
    const bytes = Buffer.concat([
      block({ type: "g" }, formatPaxRecord("gid", "77").toString()),
      block({ name: Buffer.from("a") }),
      block({ type: "x" }, formatPaxRecord("gid", "").toString()),
      block({ name: Buffer.from("b"), gid: 3 }),
      end,
    ]);
    expect((await read(bytes)).map((item) => item.entry.gid)).toEqual([77, 3]);
  });

  it("reads base-256 numbers", async () => {
    const large = Buffer.from([0x80, 0, 0, 0, 0, 0x12, 0x34, 0x56]);
    const before = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
    const items = await read(
      Buffer.concat([block({ raw: [108, large] }), block({ raw: [136, before] }), end]),
    );
    expect(items.map((item) => [item.entry.uid, item.entry.mtime])).toEqual([
      [0x123456, 0],
      [0, -2],
    ]);
  });

  it("takes sizes in headers of links as meaning nothing", async () => {
    const bytes = Buffer.concat([
      block({ name: Buffer.from("l"), linkName: Buffer.from("f"), type: "1", size: 999 }),
      block({ name: Buffer.from("f") }),
      end,
    ]);
    expect((await read(bytes)).map((item) => item.entry.path)).toEqual(["l", "f"]);
  });

  it("leaves out the root itself and tidies names", async () => {
    const bytes = Buffer.concat([
      block({ name: Buffer.from("./"), type: "5" }),
      block({ name: Buffer.from("./a/"), type: "5" }),
      block({ name: Buffer.from("old-style/"), type: "0" }),
      end,
    ]);
    expect((await read(bytes)).map((item) => [item.entry.type, item.entry.path])).toEqual([
      ["directory", "a"],
      ["directory", "old-style"],
    ]);
  });

  it("skips devices only when asked", async () => {
    const bytes = Buffer.concat([block({ name: Buffer.from("null"), type: "3" }), block({}), end]);
    await expect(read(bytes)).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE", place: where });
    expect((await read(bytes, { special: "skip" })).map((item) => item.entry.path)).toEqual(["f"]);
  });
});

describe("hostile and damaged archives", () => {
  const sound = block({ name: Buffer.from("a") }, "hello");
  const long = formatPaxRecord("path", "x".repeat(5000)).toString();
  const cases: [string, Buffer, string, Partial<ReadTarOptions>?][] = [
    ["a path that leads out", Buffer.concat([block({ name: Buffer.from("../a") }), end]), "ARCHIVE_UNSAFE"],
    ["an absolute path", Buffer.concat([block({ name: Buffer.from("/etc/passwd") }), end]), "ARCHIVE_UNSAFE"],
    [
      "a hard link that leads out",
      Buffer.concat([block({ type: "1", linkName: Buffer.from("../../etc/shadow") }), end]),
      "ARCHIVE_UNSAFE",
    ],
    [
      "NUL in a PAX path",
      Buffer.concat([block({ type: "x" }, formatPaxRecord("path", "a\0b").toString()), block({}), end]),
      "ARCHIVE_UNSAFE",
    ],
    ["a flipped bit", Buffer.concat([flip(sound, 3), end]), "ARCHIVE_INVALID"],
    ["no end", sound, "ARCHIVE_INVALID"],
    ["nothing at all", Buffer.alloc(0), "ARCHIVE_INVALID"],
    ["a cut header", sound.subarray(0, 300), "ARCHIVE_INVALID"],
    ["cut content", sound.subarray(0, 515), "ARCHIVE_INVALID"],
    ["cut padding", sound.subarray(0, 600), "ARCHIVE_INVALID"],
    ["something after the end", Buffer.concat([sound, end, Buffer.from("more")]), "ARCHIVE_INVALID"],
    ["a PAX header for nothing", Buffer.concat([block({ type: "x" }, long), end]), "ARCHIVE_INVALID"],
    [
      "a name that is too long",
      Buffer.concat([block({ type: "x" }, long), block({}), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "a name that no file system has",
      Buffer.concat([
        block({ type: "x" }, `${formatPaxRecord("path", `a/${"x".repeat(256)}/b`)}`),
        block({}),
        end,
      ]),
      "ARCHIVE_INVALID",
    ],
    ["an enormous PAX header", block({ type: "x", size: 2 ** 21 }), "ARCHIVE_INVALID"],
    [
      "a malformed PAX record",
      Buffer.concat([block({ type: "x" }, "12 path"), block({}), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "a PAX record longer than its header",
      Buffer.concat([block({ type: "x" }, "99 path=a\n"), block({}), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "a negative PAX size",
      Buffer.concat([block({ type: "x" }, formatPaxRecord("size", "-1").toString()), block({}), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "an unknown character set",
      Buffer.concat([
        block({ type: "x" }, formatPaxRecord("hdrcharset", "EBCDIC").toString()),
        block({}),
        end,
      ]),
      "ARCHIVE_INVALID",
    ],
    [
      "a sparse file (PAX)",
      Buffer.concat([
        block({ type: "x" }, formatPaxRecord("GNU.sparse.major", "1").toString()),
        block({}),
        end,
      ]),
      "ARCHIVE_INVALID",
    ],
    ["a sparse file (GNU)", Buffer.concat([block({ type: "S" }), end]), "ARCHIVE_INVALID"],
    ["a part of a multi-volume archive", Buffer.concat([block({ type: "M" }), end]), "ARCHIVE_INVALID"],
    [
      "a negative base-256 size",
      Buffer.concat([block({ raw: [124, Buffer.alloc(12, 0xff)] }), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "a size that is not a number",
      Buffer.concat([block({ raw: [124, Buffer.from("12 34")] }), end]),
      "ARCHIVE_INVALID",
    ],
    [
      "a file without a name",
      Buffer.concat([block({ name: Buffer.from("./"), type: "2", linkName: Buffer.from("x") }), end]),
      "ARCHIVE_INVALID",
    ],
    ["a link to nothing", Buffer.concat([block({ type: "2" }), end]), "ARCHIVE_INVALID"],
    ["too many entries", Buffer.concat([sound, sound, end]), "ARCHIVE_INVALID", { limits: { entries: 1 } }],
    ["too many bytes", Buffer.concat([sound, sound, end]), "ARCHIVE_INVALID", { limits: { totalBytes: 9 } }],
  ];

  function flip(bytes: Buffer, at: number): Buffer {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  }

  it.each(cases)("refuses %s", async (_, bytes, code, options = {}) => {
    for (const sizes of [[1], [512], [1 << 20]]) {
      await expect(read(bytes, options, sizes)).rejects.toMatchObject({ code, place: where });
    }
  });

  it("says at which byte", async () => {
    await expect(read(Buffer.concat([sound, flip(sound, 3), end]))).rejects.toThrow(/at byte 1024:/);
  });

  it("survives any bytes with an error of ours", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2047), fc.integer({ min: 0, max: 255 })), { maxLength: 20 }),
        async (changes) => {
          const bytes = Buffer.concat([block({ type: "x" }, formatPaxRecord("path", "p").toString()), sound]);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          await read(Buffer.concat([bytes, end])).catch((error: unknown) => {
            expect(error).toMatchObject({ code: expect.stringMatching(/^ARCHIVE_/) });
          });
        },
      ),
      { numRuns: 500 },
    );
  });
});
