import fc from "fast-check";
import { expect, it } from "vitest";
import { signatureTypeOf, splitPackets } from "../../src/openpgp/packets.ts";
import { makeKey } from "../support/signingKey.ts";

const place = { file: "key.gpg" };

/** A packet in the new format (RFC 9580, section 4.2.1), or the old one. */
function encode(tag: number, body: Uint8Array, old: boolean): Uint8Array {
  const { length } = body;
  if (old) {
    const size = length < 256 ? [0, length] : [1, length >> 8, length & 0xff];
    return Buffer.from([0x80 | (tag << 2) | (size[0] ?? 0), ...size.slice(1), ...body]);
  }
  const size =
    length < 192
      ? [length]
      : length < 8384
        ? [((length - 192) >> 8) + 192, (length - 192) & 0xff]
        : [255, ...Buffer.from(Uint32Array.of(length).buffer).reverse()];
  return Buffer.from([0xc0 | tag, ...size, ...body]);
}

it("splits what was put together, in both formats", () => {
  const packet = fc.record({
    tag: fc.integer({ min: 1, max: 15 }),
    length: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(191, 192, 8383, 8384, 20_000)),
    old: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 5 }), (packets) => {
      const bytes = packets.map(({ tag, length, old }) => encode(tag, new Uint8Array(length).fill(tag), old));
      const found = splitPackets(Buffer.concat(bytes), place);
      expect(found.map(({ tag, body }) => [tag, body.length, body[0] ?? tag])).toEqual(
        packets.map(({ tag, length }) => [tag, length, tag]),
      );
    }),
  );
});

it("refuses what is cut, is no packet, or has no definite length", async () => {
  const { privateKey } = await makeKey();
  const good = privateKey.toPublic().write();
  expect(splitPackets(good, place).map(({ tag }) => tag)).toEqual([6, 13, 2]);
  for (const bad of [
    good.subarray(0, -1),
    Buffer.concat([good, Buffer.from("-----BEGIN")]),
    Buffer.from([0x99]),
    Buffer.from([0x9b, 1, 2]),
    Buffer.from([0xc6, 224, 1]),
    Buffer.from([0xc6, 255, 0xff, 0xff, 0xff, 0xff]),
  ])
    expect(() => splitPackets(bad, place)).toThrow(expect.objectContaining({ code: "KEY_INVALID", place }));
});

it("never fails in another way", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        const total = splitPackets(bytes, place).reduce((sum, { body }) => sum + body.length, 0);
        expect(total).toBeLessThan(bytes.length + 1);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "KEY_INVALID" });
      }
    }),
  );
});

it("tells the type of signatures of every version", () => {
  expect(signatureTypeOf(Uint8Array.from([3, 5, 0x20]))).toBe(0x20);
  expect(signatureTypeOf(Uint8Array.from([4, 0x18, 1]))).toBe(0x18);
  expect(signatureTypeOf(Uint8Array.from([9, 0x30, 1]))).toBe(0x30);
  expect(signatureTypeOf(new Uint8Array())).toBeUndefined();
});
