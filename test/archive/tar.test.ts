import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { bytesOfName } from "../../src/archive/names.ts";
import { formatPaxRecord } from "../../src/archive/pax.ts";
import { type ReadTarOptions, readTar } from "../../src/archive/readTar.ts";
import { formatHeader } from "../../src/archive/tarHeader.ts";
import { formatEntryHeader, writeTar } from "../../src/archive/writeTar.ts";
import { collect, directory, entriesOf, file, hardlink, pieces, readAll, symlink } from "./streams.ts";

const where = { file: "test.tar" };
const scratch = mkdtempSync(join(tmpdir(), "spacktainers-tar-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function write(entries: Iterable<Entry>, trailer = true): Promise<Buffer> {
  return collect(writeTar(entriesOf(entries), { trailer }));
}

function read(bytes: Uint8Array, options: Partial<ReadTarOptions> = {}, sizes: number[] = [64 * 1024]) {
  return readAll(readTar(pieces(bytes, ...sizes), { where, ...options }));
}

/** A header block made by hand, with the content after it. */
function block(
  fields: Partial<Parameters<typeof formatHeader>[0]> & { raw?: [number, Uint8Array] },
  content = "",
): Buffer {
  const header = Buffer.alloc(512);
  const bytes = Buffer.from(content, "latin1");
  const { raw, ...rest } = fields;
  const plain = { name: Buffer.from("f"), mode: 0o644, uid: 0, gid: 0, mtime: 0, type: "0" };
  formatHeader({ ...plain, size: bytes.length, ...rest }, header);
  if (raw !== undefined) {
    header.set(raw[1], raw[0]);
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

const end = Buffer.alloc(1024);

const component = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }),
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc
      .uint8Array({ minLength: 1, maxLength: 20, min: 0x80 })
      .map((bytes) => [...bytes].map((byte) => String.fromCharCode(0xdc00 + byte)).join("")),
    fc.constant("x".repeat(99)),
    fc.constant("y".repeat(100)),
    fc.constant("z".repeat(156)),
  )
  .map((name) => name.replaceAll(/[/\0]/g, "_"))
  // Bytes that happen to be UTF-8 when put together read back as the text they are.
  .map((name) => (/[\ud800-\udfff]/u.test(name) ? `${[...name].join("-")}` : name))
  .filter((name) => name !== "." && name !== ".." && isName(name));

function isName(name: string): boolean {
  try {
    return bytesOfName(name).length > 0;
  } catch {
    return false;
  }
}

const path = fc.array(component, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/"));
const base = fc.record({
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 })),
  gid: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 })),
  mtime: fc.oneof(fc.integer({ min: 0, max: 2 ** 33 }), fc.integer({ min: -(2 ** 33), max: 2 ** 40 })),
});
const size = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc.constantFrom(0, 1, 511, 512, 513, 32_767, 32_768, 131_071, 131_072, 400_000),
);
const entry: fc.Arbitrary<{ facts: Entry; bytes: Buffer | undefined }> = fc.oneof(
  fc.tuple(base, size, fc.integer({ min: 0, max: 255 })).map(([facts, length, fill]) => {
    const bytes = Buffer.alloc(length, fill);
    return {
      facts: { type: "file" as const, ...facts, size: length, content: pieces(bytes, 60_000) },
      bytes,
    };
  }),
  base.map((facts) => ({ facts: { type: "directory" as const, ...facts }, bytes: undefined })),
  fc.tuple(base, path).map(([facts, target]) => ({
    facts: { type: "symlink" as const, ...facts, target: `../${target}` },
    bytes: undefined,
  })),
  fc.tuple(base, path).map(([facts, target]) => ({
    facts: { type: "hardlink" as const, ...facts, target },
    bytes: undefined,
  })),
);

describe("tar round trip", () => {
  it("gives back names, numbers, links and bytes of any kind, however the stream is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (items, sizes, trailer) => {
          const bytes = await write(
            items.map((item) => item.facts),
            trailer,
          );
          expect(bytes.length % 512).toBe(0);
          const back = await read(bytes, { end: trailer ? "required" : "optional" }, sizes);
          expect(back.length).toBe(items.length);
          for (const [index, { facts, bytes: content }] of items.entries()) {
            const { content: _, ...expected } = { content: undefined, ...facts };
            expect(back[index]?.entry).toEqual(expected);
            // Buffers by their own comparison: the generic one is slow.
            expect(content === undefined || content.equals(back[index]?.content ?? Buffer.alloc(0))).toBe(
              true,
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it("announces sizes in octal up to 8 GiB, from there on in a PAX header", () => {
    expect(formatEntryHeader({ ...file("big", ""), size: 2 ** 33 - 1 }).length).toBe(512);
    const header = formatEntryHeader({ ...file("big", ""), size: 2 ** 33 });
    expect(header.length).toBe(1536);
    expect(header.toString("latin1", 512, 530)).toBe("19 size=8589934592");
  });

  it("skips content that is not read, or only in part", async () => {
    const bytes = await write([file("a", "x".repeat(5000)), file("b", "second"), file("c", "third")]);
    const seen: string[] = [];
    for await (const item of readTar(pieces(bytes, 700), { where })) {
      if (item.path === "a" && item.type === "file") {
        for await (const chunk of item.content) {
          seen.push(`a:${chunk.length > 0}`);
          break;
        }
      } else if (item.path === "c" && item.type === "file")
        seen.push((await collect(item.content)).toString());
      else seen.push(item.path);
    }
    expect(seen).toEqual(["a:true", "b", "third"]);
  });

  it("does not give one entry's bytes to the reader of an earlier one", async () => {
    const bytes = await write([file("a", "first"), file("b", "second")]);
    const items: Entry[] = [];
    for await (const item of readTar(pieces(bytes, 512), { where })) items.push(item);
    const [a] = items;
    if (a?.type !== "file") throw new Error("no file");
    await expect(collect(a.content)).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("closes its source when the reader leaves", async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield await write([file("a", "1"), file("b", "2")]);
      } finally {
        closed = true;
      }
    }
    for await (const _ of readTar(source(), { where })) break;
    expect(closed).toBe(true);
  });

  it("streams large files, of any size up to 64 MiB, without holding them", async () => {
    const mebibyte = Buffer.alloc(2 ** 20, "0123456789abcdef");
    async function* repeated(size: number): AsyncGenerator<Uint8Array> {
      for (let left = size; left > 0; left -= mebibyte.length)
        yield mebibyte.subarray(0, Math.min(left, 2 ** 20));
    }
    for (const size of [2 ** 20 - 1, 2 ** 20 + 1, 10_000_019, 2 ** 26]) {
      const expected = createHash("sha256");
      for await (const chunk of repeated(size)) expected.update(chunk);
      const tar = writeTar(
        entriesOf([{ ...file("large", ""), size, content: repeated(size) }, file("after", "x")]),
        {
          trailer: true,
        },
      );
      const seen: string[] = [];
      for await (const item of readTar(tar, { where })) {
        if (item.type !== "file") continue;
        const hash = createHash("sha256");
        for await (const chunk of item.content) hash.update(chunk);
        seen.push(hash.digest("hex"));
      }
      expect(seen[0]).toBe(expected.digest("hex"));
      expect(seen.length).toBe(2);
    }
  }, 30_000);

  it("never touches a piece again after handing it out", async () => {
    const entries = Array.from({ length: 500 }, (_, index) =>
      file(`f${index}`, Buffer.alloc(index * 7, index)),
    );
    const kept: { chunk: Uint8Array; copy: Buffer }[] = [];
    for await (const chunk of writeTar(entriesOf(entries), { trailer: true }))
      kept.push({ chunk, copy: Buffer.from(chunk) });
    expect(kept.every(({ chunk, copy }) => copy.equals(chunk))).toBe(true);
  });

  it("refuses content that is not as long as announced", async () => {
    await expect(write([{ ...file("a", "abc"), size: 4 }])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
    await expect(write([{ ...file("a", "abc"), size: 2 }])).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });
});

describe("formats of other programs", () => {
  const names = ["short", `${"d".repeat(80)}/${"e".repeat(80)}/f`, `long/${"n".repeat(200)}`, "ünïcode/€"];

  for (const format of ["v7", "ustar", "gnu", "pax", "oldgnu"]) {
    it(`reads what GNU tar writes in the format ${format}`, async () => {
      const tree = join(scratch, format);
      execFileSync("mkdir", ["-p", tree]);
      const usable = names.filter((name) =>
        format !== "v7" && format !== "ustar" ? true : name.length < 100 || name.startsWith("d"),
      );
      const kept = format === "v7" ? usable.filter((name) => Buffer.byteLength(name) < 100) : usable;
      for (const name of kept) {
        execFileSync("mkdir", ["-p", join(tree, name, "..")]);
        writeFileSync(join(tree, name), `content of ${name}`);
      }
      execFileSync("ln", ["-s", "../x/y", join(tree, "link")]);
      execFileSync("ln", [join(tree, "short"), join(tree, "zhard")]);
      const archive = execFileSync("tar", ["-C", tree, `--format=${format}`, "--sort=name", "-cf", "-", "."]);
      const items = await read(archive, {}, [1000]);
      const files = items.filter((item) => item.entry.type === "file");
      expect(files.map((item) => item.entry.path).sort()).toEqual([...kept].sort());
      for (const item of files) expect(item.content?.toString()).toBe(`content of ${item.entry.path}`);
      expect(items.find((item) => item.entry.path === "link")?.entry).toMatchObject({ target: "../x/y" });
      expect(items.find((item) => item.entry.path === "zhard")?.entry).toMatchObject({
        type: "hardlink",
        target: "short",
      });
    });
  }

  it("writes what GNU tar lists without a warning, at any length of name", async () => {
    const entries = Array.from({ length: 300 }, (_, index) => {
      const name = Array.from({ length: index + 1 }, (__, at) => (at % 17 === 16 ? "/" : "abc"[at % 3])).join(
        "",
      );
      return file(name.replace(/\/$/, "d"), `content ${index}`);
    });
    const target = join(scratch, "ours.tar");
    writeFileSync(
      target,
      await write([...entries, directory("dir/sub"), symlink("sl", "z".repeat(150)), hardlink("hl", "a")]),
    );
    const listed = execFileSync("tar", ["-tf", target], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect(listed.split("\n").slice(0, 300)).toEqual(entries.map((item) => item.path));
    expect(listed).toContain("dir/sub/\nsl\nhl\n");
  });

  it("writes names that are not UTF-8 as GNU tar unpacks them", async () => {
    const target = join(scratch, "bytes.tar");
    writeFileSync(
      target,
      await write([file("caf\udce9", "latin-1"), file(`${"l".repeat(120)}\udcff`, "long")]),
    );
    const out = join(scratch, "bytes");
    execFileSync("mkdir", [out]);
    execFileSync("tar", ["-C", out, "-xf", target]);
    const listed = execFileSync("ls", ["-b", out], {
      encoding: "latin1",
      env: { ...process.env, LC_ALL: "C" },
    });
    expect(listed).toBe(`caf\\351\n${"l".repeat(120)}\\377\n`);
  });
});

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
