import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compressBytes, compressStream } from "../../src/archive/compressStream.ts";
import { decompressStream } from "../../src/archive/decompress.ts";
import {
  type CompressionFormat,
  compressionLevels,
  compressionSettings,
} from "../../src/archive/layerCompression.ts";
import { collect, dullText, pieces } from "./streams.ts";

const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const formats: readonly CompressionFormat[] = ["gzip", "zstd"];

describe.each(formats)("compressStream to %s", (format) => {
  const compression = compressionSettings(format);

  it("can be read again, at any size around the block size", async () => {
    for (const length of [1, 1023, 1024, 1025, 4096, 100_000]) {
      const bytes = dullText(length);
      const packed = await collect(compressStream(pieces(bytes, 777), { compression, blockSize: 1024 }));
      expect((await collect(decompressStream(pieces(packed, 500)))).equals(bytes), `${length}`).toBe(true);
    }
  });

  it("gives the same bytes however the input is cut", async () => {
    const bytes = dullText(3_000_000);
    const all = new Set<string>();
    for (const sizes of [[bytes.length], [1_000_003, 17], [65_536]])
      all.add(sha(await collect(compressStream(pieces(bytes, ...sizes), { compression, concurrency: 0 }))));
    expect(all.size).toBe(1);
  });

  it("makes of nothing nothing", async () => {
    expect(await collect(compressStream(pieces(Buffer.alloc(0)), { compression }))).toHaveLength(0);
  });

  it("round-trips anything, at every level", async () => {
    const { lowest, highest } = compressionLevels[format];
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: lowest, max: highest }),
        async (bytes, blockSize, level) => {
          const options = { blockSize, compression: { format, level }, concurrency: 0 };
          const packed = compressStream(pieces(bytes, 100, 1), options);
          expect([...(await collect(decompressStream(packed)))]).toEqual([...bytes]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("passes on what its source throws", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield dullText(300_000);
      throw new Error("source");
    }
    const packed = collect(compressStream(broken(), { compression, blockSize: 1024 }));
    await expect(packed).rejects.toThrow("source");
  });
});

/**
 * The bytes decide the digests of layers: they must be these on every machine and with every Node. A change is a change of
 * the encoder, and belongs into what `compressionFacts` says.
 */
it.each<[CompressionFormat, number, string]>([
  ["gzip", 1, "a6868b8eb0e412bf4c233dc8542081ccb226e5ba1348ff761792a720bc5c407b"],
  ["gzip", 4, "5122cc2406621a751af3da22db6489ec5719613d87dc9c7924c1a81cc766c6a1"],
  ["gzip", 12, "e64c1cd23480411ade8ba794747f3523c5f635daca113e7e40bb95b1aa70e678"],
  ["zstd", 1, "9b57911a3e691b1d78a96a2fe03e1bdb6dadc7a905cf3899fa95a00819268fab"],
  ["zstd", 3, "6d99bbc42c7ed1c07c5b0237ccdaef7fbe74d3aaadd20fe79c9ab96af3854765"],
  ["zstd", 19, "8d9761af653514eda2a94145cf0cb8b00860a7e18fefd3a30a5d6c5f712fd70d"],
])("has the bytes that %s at level %i has everywhere", async (format, level, digest) => {
  const options = { compression: { format, level }, concurrency: 0 };
  expect(sha(await collect(compressStream(pieces(dullText(1_500_000)), options)))).toBe(digest);
});

describe("gzip members", () => {
  it("are what gunzip reads, with nothing of the machine in their headers", async () => {
    const packed = await compressBytes(dullText(50_000), compressionSettings("gzip"));
    expect([...packed.subarray(0, 8)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    expect(packed[9]).toBe(255);
    expect(gunzipSync(packed).equals(dullText(50_000))).toBe(true);
  });

  it("lose little to the cuts", async () => {
    const bytes = dullText(2_000_000);
    const packed = await collect(compressStream(pieces(bytes), { concurrency: 0 }));
    expect(packed.length).toBeLessThan(gzipSync(bytes, { level: 6 }).length * 1.02);
  });
});

describe("zstd frames", () => {
  it("say how long their content is and need no more memory than that", async () => {
    const packed = await compressBytes(dullText(300_000), compressionSettings("zstd", 19));
    // A single segment: the window is the content (RFC 8878, 3.1.1.1.1.2).
    expect([...packed.subarray(0, 4)]).toEqual([0x28, 0xb5, 0x2f, 0xfd]);
    expect((packed[4] ?? 0) & 0x20).toBe(0x20);
  });
});
