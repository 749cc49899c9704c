import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compressBytes, compressStream } from "../../src/archive/compressStream.ts";
import { decompressStream } from "../../src/archive/decompress.ts";
import { compressionSettings } from "../../src/archive/layerCompression.ts";
import { zstdFrameHeader } from "../../src/archive/zstdFrames.ts";
import { commandExists } from "../support/commandExists.ts";
import { collect, pieces } from "./streams.ts";

const settings = compressionSettings("zstd", 1);
const where = { file: "x.zst" };
const read = (bytes: Uint8Array, ...sizes: number[]) =>
  collect(decompressStream(pieces(bytes, ...sizes), { where }));

/** A frame of one raw block that does not say how long it is: what programs write that compress a pipe. */
function unsized(content: Uint8Array): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((content.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58), block, content]);
}

describe("zstd data", () => {
  it("of frames of both kinds is read as one, in pieces of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 3000 })), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 4 }),
        async (parts, sizes) => {
          const frames = await Promise.all(
            parts.map(([sized, bytes]) => (sized ? compressBytes(bytes, settings) : unsized(bytes))),
          );
          const content = Buffer.concat(parts.map(([, bytes]) => bytes));
          expect((await read(Buffer.concat(frames), ...sizes)).equals(content)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("is refused when it is cut off or damaged, and never read as something longer", async () => {
    const content = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * at) % 251));
    const packed = Buffer.from(
      await collect(compressStream(pieces(content), { compression: settings, blockSize: 2000 })),
    );
    const starts = new Set<number>();
    for (let at = 0; at >= 0; at = packed.indexOf(Buffer.of(0x28, 0xb5, 0x2f, 0xfd), at + 1)) starts.add(at);
    // Fewer bytes than a magic number has are no zstd data.
    for (let end = 4; end < packed.length; end++) {
      const cut = read(packed.subarray(0, end), 700);
      // Where a frame ends nobody can know that there was another one; the layer's digest can.
      if (starts.has(end)) await expect(cut).resolves.toBeInstanceOf(Buffer);
      else
        await expect(cut, `cut at ${end}`).rejects.toMatchObject({
          code: "ARCHIVE_INVALID",
        });
    }
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4, max: packed.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const broken = Buffer.from(packed);
          broken[at] = (broken[at] ?? 0) ^ change;
          const outcome = await collect(decompressStream(pieces(broken), { where, maxBytes: 20_000 })).catch(
            (error: { code: string }) => error.code,
          );
          if (typeof outcome === "string") expect(outcome).toBe("ARCHIVE_INVALID");
        },
      ),
      { numRuns: 200 },
    );
  });

  it("that claims to be small and is not is refused before it is unpacked", async () => {
    // Content of 4 bytes, and blocks without end.
    const head = Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 4);
    const endless = Buffer.concat([head, ...Array.from({ length: 40_000 }, () => Buffer.of(0x0a, 0, 0, 7))]);
    await expect(read(endless, 4096)).rejects.toMatchObject({ code: "ARCHIVE_INVALID", place: where });
  });

  it("is what the zstd program reads, and what it writes is read", async ({ skip }) => {
    if (!commandExists("zstd")) return skip("zstd is not installed");
    const content = Buffer.alloc(3_000_000, "a frame for every block ");
    const packed = await collect(compressStream(pieces(content), { compression: settings }));
    const unpacked = spawnSync("zstd", ["-dc"], { input: packed, maxBuffer: 2 ** 24 });
    expect(unpacked.stdout.equals(content)).toBe(true);
    const theirs = spawnSync("zstd", ["-c"], { input: content, maxBuffer: 2 ** 24 });
    expect((await read(theirs.stdout, 5000)).equals(content)).toBe(true);
  });
});

describe("zstdFrameHeader", () => {
  it.each([
    [[0x20, 200], { length: 6, contentSize: 200, window: 200, hasChecksum: false }],
    [[0x64, 1, 1], { length: 7, contentSize: 513, window: 513, hasChecksum: true }],
    [[0xa1, 9, 0, 0, 1, 0], { length: 10, contentSize: 65_536, window: 65_536, hasChecksum: false }],
    [[0x00, 0x58], { length: 6, contentSize: undefined, window: 2_097_152, hasChecksum: false }],
  ])("reads %j", (bytes, header) => {
    expect(zstdFrameHeader(Buffer.of(0x28, 0xb5, 0x2f, 0xfd, ...bytes))).toEqual(header);
  });

  it("knows what is no frame", () => {
    expect(zstdFrameHeader(Buffer.from("no frame at all"))).toBeUndefined();
    expect(zstdFrameHeader(Buffer.alloc(0))).toBeUndefined();
  });
});
