import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { objectWithId, openSif, primaryPartition, readObject } from "../../src/sif/openSif.ts";
import {
  alignment,
  decodeDescriptor,
  decodeHeader,
  descriptorSize,
  encodeDescriptor,
  encodeHeader,
  formatId,
  headerSize,
  noExtra,
  partitionAttributes,
  partitionExtra,
  type SifDescriptor,
  signatureAttributes,
  signatureExtra,
} from "../../src/sif/sifFormat.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-sif-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const id = Buffer.from("00112233445566778899aabbccddeeff", "hex");
const header = {
  architecture: "amd64",
  id,
  created: 5,
  modified: 6,
  descriptorsFree: 46,
  descriptorsTotal: 48,
  descriptorsOffset: alignment,
  descriptorsSize: 48 * descriptorSize,
  dataOffset: alignment + 48 * descriptorSize,
  dataSize: 12,
};
const dataOffset = header.dataOffset;
const base: SifDescriptor = {
  type: "definition",
  id: 1,
  group: 1,
  link: undefined,
  offset: dataOffset,
  size: 5,
  sizeWithPadding: 5,
  created: 5,
  modified: 6,
  name: "a",
  extra: noExtra,
};
const partition: SifDescriptor = {
  ...base,
  type: "partition",
  id: 2,
  offset: dataOffset + 5,
  size: 7,
  extra: partitionExtra("squashfs", "primary system", "arm64"),
};

/** A file with these descriptors and twelve bytes of data. */
function sifOf(descriptors: readonly SifDescriptor[], head = header): Buffer {
  const bytes = Buffer.alloc(dataOffset + 12);
  encodeHeader(head).copy(bytes);
  for (const [index, one] of descriptors.entries())
    encodeDescriptor(one).copy(bytes, alignment + index * descriptorSize);
  bytes.write("hello, world", dataOffset);
  return bytes;
}

let count = 0;
function written(bytes: Buffer): string {
  const path = join(folder, `${count++}.sif`);
  writeFileSync(path, bytes);
  return path;
}

describe("the SIF format", () => {
  it("reads headers and descriptors as they were written", () => {
    expect(decodeHeader(encodeHeader(header), {})).toEqual(header);
    expect(encodeHeader(header).length).toBe(headerSize);
    expect(formatId(id)).toBe("00112233-4455-6677-8899-aabbccddeeff");
    fc.assert(
      fc.property(size, size, fc.nat(0xffff), fc.string({ maxLength: 30 }), (offset, bytes, number, name) => {
        fc.pre(!name.includes("\0"));
        const link = number % 3 === 0 ? undefined : number % 3 === 1 ? { object: number } : { group: number };
        const descriptor = { ...base, offset, size: bytes, id: number, group: number, link, name };
        expect(decodeDescriptor(encodeDescriptor(descriptor), {})).toEqual(descriptor);
      }),
    );
  });

  it("knows partitions and signatures", () => {
    expect(partitionAttributes(partition)).toEqual({
      fileSystem: "squashfs",
      use: "primary system",
      architecture: "arm64",
    });
    const fingerprint = "AB".repeat(20);
    const signature = { ...base, type: "signature" as const, extra: signatureExtra("SHA256", fingerprint) };
    expect(signatureAttributes(signature)).toEqual({ hash: "SHA256", fingerprint });
    expect(partitionAttributes(base)).toBeUndefined();
    expect(signatureAttributes(base)).toBeUndefined();
  });
});

describe("openSif", () => {
  it("lists and reads objects", async () => {
    const sif = await openSif(written(sifOf([partition, base])));
    expect(sif.objects.map((object) => [object.id, object.type])).toEqual([
      [1, "definition"],
      [2, "partition"],
    ]);
    expect((await readObject(sif, objectWithId(sif, 1), 100)).toString()).toBe("hello");
    expect(primaryPartition(sif)?.id).toBe(2);
    expect(() => objectWithId(sif, 3)).toThrow(/no object 3/);
    await expect(readObject(sif, objectWithId(sif, 2), 3)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await sif.close();
  });

  it.each<[string, Buffer, string, RegExp]>([
    ["nothing", Buffer.alloc(0), "ARCHIVE_INVALID", /not a SIF/],
    ["text", Buffer.from("#!/bin/sh\n".repeat(50)), "ARCHIVE_INVALID", /not a SIF/],
    ["half a table", sifOf([base]).subarray(0, 5000), "ARCHIVE_INVALID", /not inside the file/],
    [
      "two of one number",
      sifOf([base, { ...partition, id: 1 }]),
      "ARCHIVE_INVALID",
      /two objects have the number 1/,
    ],
    ["an object beyond the end", sifOf([{ ...base, size: 50 }]), "ARCHIVE_INVALID", /object 1 is not inside/],
    ["an object in the header", sifOf([{ ...base, offset: 3 }]), "ARCHIVE_INVALID", /object 1 is not inside/],
    [
      "countless descriptors",
      sifOf([], { ...header, descriptorsTotal: 2 ** 40 }),
      "ARCHIVE_INVALID",
      /claims to have/,
    ],
  ])("refuses %s", async (_, bytes, code, message) => {
    await expect(openSif(written(bytes))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("refuses other versions, unknown types, directories and what is not there", async () => {
    const other = sifOf([base]);
    other.write("02", 42);
    await expect(openSif(written(other))).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
    const unknown = sifOf([base]);
    unknown.writeInt32LE(0x7777, alignment);
    await expect(openSif(written(unknown))).rejects.toMatchObject({
      message: expect.stringMatching(/unknown type/),
    });
    await expect(openSif(folder)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await expect(openSif(join(folder, "no"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("says one clear thing of every damaged file", async () => {
    const good = sifOf([base, partition]);
    const at = fc.oneof(
      fc.nat(headerSize - 1),
      fc.integer({ min: alignment, max: alignment + 2 * descriptorSize - 1 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(good.length),
        async (edits, cut) => {
          const bytes = Buffer.from(edits.length % 2 === 0 ? good.subarray(0, cut) : good);
          for (const [position, value] of edits) if (position < bytes.length) bytes[position] = value;
          try {
            const sif = await openSif(written(bytes));
            try {
              for (const object of sif.objects) await readObject(sif, object, 1000);
            } finally {
              await sif.close();
            }
          } catch (error) {
            expect(error).toBeInstanceOf(SpacktainersError);
            expect((error as SpacktainersError).code).toMatch(/ARCHIVE_INVALID|NOT_SUPPORTED/);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
