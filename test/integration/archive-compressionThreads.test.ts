import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openCompressionThreads } from "../../src/archive/compressionThreads.ts";
import { compressStream } from "../../src/archive/compressStream.ts";
import { decompressStream } from "../../src/archive/decompress.ts";
import { type CompressionFormat, compressionSettings } from "../../src/archive/layerCompression.ts";
import { packageFile } from "../../src/util/packageFile.ts";
import { collect, pieces } from "../archive/streams.ts";

const isBuilt = existsSync(packageFile("dist/archive/compressionWorker.js"));
const note = isBuilt ? "" : " (skipped: run npm run build first)";
const long = Buffer.alloc(24_000_000);
for (let at = 0; at < long.length; at += 4) long.writeUInt32LE(Math.imul(at >> 9, 2_654_435_761) >>> 0, at);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!isBuilt).each<CompressionFormat>(["gzip", "zstd"])(
  `threads that compress to %s${note}`,
  (format) => {
    const compression = compressionSettings(format);

    it("make the same bytes, however many they are", async () => {
      const all = new Set<string>();
      let packed: Buffer = Buffer.alloc(0);
      for (const concurrency of [0, 1, 3]) {
        packed = await collect(compressStream(pieces(long, 1_000_003), { compression, concurrency }));
        all.add(sha(packed));
      }
      expect(all.size).toBe(1);
      expect((await collect(decompressStream(pieces(packed, 65_536)))).equals(long)).toBe(true);
    });

    it("end when nobody reads on", async () => {
      const packed = compressStream(pieces(long, 500_000), {
        compression,
        concurrency: 2,
        blockSize: 100_000,
      });
      let read = 0;
      let reads = 0;
      for await (const chunk of packed) {
        read += chunk.length;
        // Past the point where threads were started.
        if (++reads > 90) break;
      }
      expect(read).toBeGreaterThan(0);
    });

    it("end with the source's error", async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield long.subarray(0, 20_000_000);
        throw new Error("source");
      }
      await expect(collect(compressStream(broken(), { compression, concurrency: 2 }))).rejects.toThrow(
        "source",
      );
    });

    it("fail for all that wait when one thread ends", async () => {
      const threads = openCompressionThreads(compression, 1);
      const waiting = [1, 2].map(() => threads.compress(Buffer.allocUnsafeSlow(1 << 20)));
      const outcome = Promise.allSettled(waiting);
      await threads.close();
      for (const { status } of await outcome) expect(["fulfilled", "rejected"]).toContain(status);
      await expect(threads.compress(Buffer.allocUnsafeSlow(1000))).rejects.toThrow("has ended");
    });
  },
);
