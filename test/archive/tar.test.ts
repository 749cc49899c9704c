import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { formatEntryHeader, writeTar } from "../../src/archive/writeTar.ts";
import { collect, directory, entriesOf, file, hardlink, pieces, symlink } from "./streams.ts";
import { entry, read, scratch, where, write } from "./tarArchives.ts";

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
