import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gunzipStream, hashing } from "../../src/archive/gzip.ts";
import { collect, dullText, pieces } from "./streams.ts";

describe("gunzipStream", () => {
  const bytes = dullText(700_000);
  const packed = gzipSync(bytes);

  it("reads several members as one, in pieces of any size", async () => {
    const joined = Buffer.concat([packed, gzipSync("middle"), gzipSync(""), packed]);
    for (const sizes of [[joined.length], [1000], [1, 50_000]]) {
      const content = await collect(gunzipStream(pieces(joined, ...sizes)));
      expect(content.equals(Buffer.concat([bytes, Buffer.from("middle"), bytes]))).toBe(true);
    }
  });

  it("reads members that begin exactly where a piece does", async () => {
    const content = await collect(gunzipStream(pieces(Buffer.concat([packed, packed]), packed.length)));
    expect(content.length).toBe(2 * bytes.length);
  });

  const where = { file: "x.gz" };
  const broken = Buffer.from(packed);
  broken[packed.length >> 1] = (broken[packed.length >> 1] ?? 0) ^ 0x10;
  const wrongSum = Buffer.from(packed);
  wrongSum[packed.length - 6] = (wrongSum[packed.length - 6] ?? 0) ^ 1;

  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["something else", Buffer.from("this is not gzip at all")],
    ["a cut header", packed.subarray(0, 5)],
    ["a cut body", packed.subarray(0, packed.length - 1000)],
    ["a cut end", packed.subarray(0, packed.length - 1)],
    ["a cut second member", Buffer.concat([packed, packed.subarray(0, 9)])],
    ["a flipped bit", broken],
    ["a wrong checksum", wrongSum],
    ["garbage after the end", Buffer.concat([packed, randomBytes(600).fill(7, 0, 1)])],
    ["much garbage after the end", Buffer.concat([packed, Buffer.alloc(300_000, 7)])],
  ])("refuses %s", async (_, data) => {
    for (const sizes of [[data.length], [4096], [packed.length]]) {
      await expect(collect(gunzipStream(pieces(data, ...sizes), { where }))).rejects.toMatchObject({
        code: "ARCHIVE_INVALID",
        place: where,
      });
    }
  });

  it("lets zeros after the end pass", async () => {
    const padded = Buffer.concat([packed, Buffer.alloc(512)]);
    expect((await collect(gunzipStream(pieces(padded)))).length).toBe(bytes.length);
  });

  it("stops at the limit, before everything is unpacked", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    let seen = 0;
    const reading = (async () => {
      for await (const chunk of gunzipStream(pieces(bomb, 1000), { maxBytes: 1_000_000 }))
        seen += chunk.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(seen).toBeLessThan(2_000_000);
  });

  it("passes on what its source throws, and stops the source when its reader leaves", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 1000);
      throw new RangeError("source");
    }
    await expect(collect(gunzipStream(failing()))).rejects.toThrow(RangeError);
    let stopped = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield packed;
      } finally {
        stopped = true;
      }
    }
    for await (const _ of gunzipStream(endless())) break;
    expect(stopped).toBe(true);
  });
});

describe("hashing", () => {
  it("hashes what passes", async () => {
    const hash = createHash("sha256");
    const bytes = dullText(10_000);
    expect((await collect(hashing(pieces(bytes, 999), hash))).equals(bytes)).toBe(true);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
  });
});
