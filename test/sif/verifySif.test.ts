import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyFile } from "../../src/openpgp/keyFile.ts";
import {
  alignment,
  descriptorCount,
  descriptorSize,
  encodeDescriptor,
  encodeHeader,
  noExtra,
  type SifDescriptor,
  signatureExtra,
} from "../../src/sif/sifFormat.ts";
import {
  descriptorDigest,
  formatSignedDigests,
  headerDigest,
  parseSignedDigests,
} from "../../src/sif/sifIntegrity.ts";
import { verifySif } from "../../src/sif/verifySif.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-verify-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let key: TestKey;
let stranger: TestKey;
beforeAll(async () => {
  key = await makeKey({ date: new Date("2024-01-01") });
  stranger = await makeKey({ date: new Date("2024-01-01") });
});

const dataOffset = alignment + descriptorCount * descriptorSize;
const contents = [Buffer.from("bootstrap: scratch\n"), Buffer.from("{}"), Buffer.from("file system")];

/** A signed SIF file of three objects; `change` edits it before it is written. */
async function signedSif(
  signer: TestKey,
  change: (bytes: Buffer, end: number) => Buffer = (bytes) => bytes,
  more: { readonly extraObject?: boolean; readonly covered?: number } = {},
): Promise<string> {
  const descriptors: SifDescriptor[] = [];
  const parts: Buffer[] = [];
  let end = dataOffset;
  const add = (bytes: Buffer, facts: Partial<SifDescriptor>): void => {
    descriptors.push({
      type: "generic",
      id: descriptors.length + 1,
      group: 1,
      link: undefined,
      offset: end,
      size: bytes.length,
      sizeWithPadding: bytes.length,
      created: 1,
      modified: 1,
      name: "",
      extra: noExtra,
      ...facts,
    });
    parts.push(bytes);
    end += bytes.length;
  };
  for (const bytes of contents) add(bytes, {});
  const header = encodeHeader({
    architecture: "amd64",
    id: Buffer.alloc(16, 7),
    created: 1,
    modified: 1,
    descriptorsFree: 40,
    descriptorsTotal: descriptorCount,
    descriptorsOffset: alignment,
    descriptorsSize: descriptorCount * descriptorSize,
    dataOffset,
    dataSize: 100,
  });
  const objects = descriptors.slice(0, more.covered).map((descriptor, index) => ({
    relativeId: index,
    descriptorDigest: descriptorDigest(encodeDescriptor(descriptor), index),
    objectDigest: digestOf(contents[index] ?? ""),
  }));
  const text = await signer.sign(formatSignedDigests({ headerDigest: headerDigest(header), objects }));
  add(Buffer.from(text), {
    type: "signature",
    group: 0,
    link: { group: 1 },
    extra: signatureExtra("SHA256", signer.fingerprint),
  });
  if (more.extraObject === true) add(Buffer.from("smuggled"), { group: 1 });
  const bytes = Buffer.concat([header, Buffer.alloc(dataOffset - header.length), ...parts]);
  for (const [index, descriptor] of descriptors.entries())
    encodeDescriptor(descriptor).copy(bytes, alignment + index * descriptorSize);
  const path = join(folder, `${Math.random()}.sif`);
  writeFileSync(path, change(bytes, end));
  return path;
}

const trusted = (): KeyFile[] => [key.file];

describe("verifySif", () => {
  it("accepts what a trusted key signed", async () => {
    expect(await verifySif(await signedSif(key), trusted())).toEqual({
      signedBy: [key.fingerprint],
      objects: [1, 2, 3],
      signatures: [{ id: 4, fingerprint: key.fingerprint, covers: [1, 2, 3], trusted: true }],
    });
  });

  it("refuses strangers, additions, and parts that are not covered", async () => {
    await expect(verifySif(await signedSif(stranger), trusted())).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
    });
    await expect(
      verifySif(await signedSif(key, undefined, { extraObject: true }), trusted()),
    ).rejects.toMatchObject({
      code: "SIGNATURE_MISSING",
      message: "no trusted signature covers object 5",
    });
    await expect(verifySif(await signedSif(key, undefined, { covered: 2 }), trusted())).rejects.toMatchObject(
      {
        code: "SIGNATURE_MISSING",
        message: "no trusted signature covers object 3",
      },
    );
  });

  it("refuses a file without signatures", async () => {
    const path = await signedSif(key, (bytes) => {
      bytes[alignment + 3 * descriptorSize + 4] = 0;
      return bytes;
    });
    await expect(verifySif(path, trusted())).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
  });

  it("notices every change to what is signed", async () => {
    const signedBytes = [
      // Launch script, magic, version, ID.
      ...range(0, 45),
      ...range(48, 64),
      // Of each descriptor: type, use, link, size, time, name, details; and the data.
      ...[0, 1, 2].flatMap((index) =>
        [
          ...range(0, 5),
          ...range(13, 17),
          ...range(25, 33),
          ...range(41, 49),
          ...range(73, descriptorSize),
        ].map((at) => alignment + index * descriptorSize + at),
      ),
      ...range(dataOffset, dataOffset + 32),
    ];
    const good = readFileSync(await signedSif(key));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...signedBytes),
        fc.integer({ min: 1, max: 255 }),
        async (at, difference) => {
          const bytes = Buffer.from(good);
          bytes[at] = (bytes[at] ?? 0) ^ difference;
          const path = join(folder, "changed.sif");
          writeFileSync(path, bytes);
          await expect(verifySif(path, trusted())).rejects.toBeInstanceOf(SpacktainersError);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("reads signed texts strictly", () => {
    const facts = {
      headerDigest: "h",
      objects: [{ relativeId: 0, descriptorDigest: "d", objectDigest: "o" }],
    };
    expect(parseSignedDigests(formatSignedDigests(facts))).toEqual(facts);
    fc.assert(fc.property(fc.json(), (text) => void parseSignedDigests(text)));
    for (const text of [
      "",
      "SIFHASH:\nabc",
      '{"version":2}',
      '{"version":1,"header":{"digest":"x"},"objects":[{}]}',
    ])
      expect(parseSignedDigests(text)).toBeUndefined();
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
