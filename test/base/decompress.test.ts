import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compressionOf, decompressStream } from "../../src/archive/decompress.ts";
import { collect } from "./makeDeb.ts";

const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jMAQAIaGVsbG8geHoKAAAAAMFJOvpjUhRaAAEhCWwYxdUftvN9AQAAAAAEWVo=",
  "base64",
);
const zstd = Buffer.from("KLUv/QRYWQAAaGVsbG8genN0ZApsV/lR", "base64");
const gzip = gzipSync("hello gzip\n");

async function* cut(bytes: Uint8Array, size = 7) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Uint8Array, maxBytes?: number, size?: number): Promise<string> {
  const options = maxBytes === undefined ? {} : { maxBytes };
  return (await collect(decompressStream(cut(bytes, size), options))).toString("latin1");
}

describe("decompressStream", () => {
  test("recognises and reads gzip, xz and zstd, and passes on the rest", async () => {
    expect(await unpack(gzip)).toBe("hello gzip\n");
    expect(await unpack(xz)).toBe("hello xz\n");
    expect(await unpack(zstd)).toBe("hello zstd\n");
    expect(await unpack(Buffer.from("plain"))).toBe("plain");
    expect(await unpack(Buffer.alloc(0))).toBe("");
  });

  test("reads several xz streams in a row, padded or not, however they are cut", async () => {
    const padded = Buffer.concat([xz, Buffer.alloc(8), xz, xz, Buffer.alloc(4)]);
    for (const size of [1, 2, 5, 64, 10_000])
      expect(await unpack(padded, undefined, size)).toBe("hello xz\n".repeat(3));
  });

  test("refuses what follows an xz stream and is none", async () => {
    const zeros = Buffer.alloc(100_000);
    for (const rest of [Buffer.from("junk"), Buffer.concat([zeros, Buffer.from("junk")]), gzip]) {
      await expect(unpack(Buffer.concat([xz, rest]))).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    }
  });

  test("notices whatever is cut off or changed", async () => {
    for (const whole of [gzip, xz, zstd]) {
      for (let length = 7; length < whole.length; length++) {
        // What follows zstd's content is an optional checksum.
        if (whole === zstd && length >= whole.length - 4) continue;
        await expect(unpack(whole.subarray(0, length)), `${length}`).rejects.toMatchObject({
          code: "ARCHIVE_INVALID",
        });
      }
    }
    const changed = Buffer.from(xz);
    changed[30] = (changed[30] ?? 0) ^ 1;
    await expect(unpack(changed)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  test("refuses more than is allowed", async () => {
    for (const whole of [gzip, xz, zstd, Buffer.from("0123456789")])
      await expect(unpack(whole, 5)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  test.each([
    ["window", [0x00, 0xa0]],
    ["single segment", [0xa0, 0x00, 0x00, 0x00, 0x7f]],
    ["single segment of 64-bit size", [0xe0, 0, 0, 0, 0, 0, 0x01, 0, 0]],
    ["single segment after a dictionary", [0xa3, 1, 2, 3, 4, 0x00, 0x00, 0x00, 0x7f]],
  ])("refuses a zstd %s that would eat the memory", async (_, header) => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...header, 0x01, 0, 0]);
    await expect(unpack(frame, undefined, 100)).rejects.toThrow(/window/);
  });

  test("reads a zstd single segment of moderate size", async () => {
    const frame = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 200, 0, 0, 0, 0x43, 0x06, 0x00, 0x61];
    expect(await unpack(Buffer.from(frame))).toBe("a".repeat(200));
  });

  test("says that bzip2 is not read", async () => {
    await expect(unpack(Buffer.from("BZh91AY&SY"))).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });

  test("frees the decoder when the reader stops early, and closes the source", async () => {
    let closed = false;
    async function* source() {
      try {
        yield* cut(Buffer.concat([xz, xz]));
      } finally {
        closed = true;
      }
    }
    for await (const _ of decompressStream(source())) break;
    expect(closed).toBe(true);
    expect(await unpack(xz)).toBe("hello xz\n");
  });

  test("passes on errors of the source", async () => {
    async function* source() {
      yield xz.subarray(0, 20);
      throw new Error("the disk is gone");
    }
    await expect(collect(decompressStream(source()))).rejects.toThrow("the disk is gone");
    expect(await unpack(xz)).toBe("hello xz\n");
  });

  test("never fails otherwise than by an error of ours", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(gzip, xz, zstd), fc.nat(60), fc.nat(255), async (whole, at, value) => {
        const bytes = Buffer.from(whole);
        if (at >= bytes.length) return;
        bytes[at] = value;
        try {
          await unpack(bytes, 1000);
        } catch (error) {
          expect(error).toMatchObject({ name: "SpacktainersError" });
        }
      }),
    );
  });

  test("magic numbers", () => {
    expect(compressionOf(xz)).toBe("xz");
    expect(compressionOf(Buffer.from([0x1f]))).toBe("none");
  });
});
