import * as openpgp from "openpgp";
import { armor, enums, generateKey, type PrivateKey, SignaturePacket } from "openpgp";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyFile } from "../../src/openpgp/keyFile.ts";
import { mergeKeys } from "../../src/openpgp/mergeKeys.ts";
import { readKeyMaterial } from "../../src/openpgp/readKeys.ts";
import { extended, keyFile, makeKey, revocationOf, revoked, type TestKey } from "../support/signingKey.ts";

let key: TestKey;
let other: TestKey;
let certificate: string;
beforeAll(async () => {
  [key, other] = await Promise.all([makeKey({ date: new Date("2024-01-01") }), makeKey()]);
  certificate = await revocationOf(key, new Date("2024-05-06"));
});

const merge = async (...files: readonly (string | Uint8Array | KeyFile)[]) =>
  mergeKeys(
    openpgp,
    await readKeyMaterial(
      openpgp,
      files.map((file, at) =>
        typeof file === "string" || file instanceof Uint8Array ? keyFile(file, `file${at}`) : file,
      ),
    ),
  );
const refusal = (...files: readonly (string | Uint8Array)[]) =>
  merge(...files).catch((thrown: unknown) => thrown);
const state = async (...files: readonly (string | Uint8Array)[]) =>
  Object.fromEntries(
    (await merge(...files)).map(({ fingerprint, revoked: date }) => [fingerprint, date !== undefined]),
  );
const publicBytes = ({ privateKey }: TestKey): Uint8Array => privateKey.toPublic().write();
const binaryOf = async (text: string): Promise<Uint8Array> =>
  (await openpgp.unarmor(text)).data as Uint8Array;

describe("files of keys", () => {
  it("may hold any number of keys in any form", async () => {
    const third = await makeKey({ subkey: true });
    const all = [key, other, third].map(({ fingerprint }) => fingerprint).sort();
    const bytes = [key, other, third].map(publicBytes);
    for (const files of [
      [key.armored, other.armored, third.armored],
      [key.armored + other.armored, third.armored],
      [`${key.armored}\ncomment\n${other.armored}\n\n${third.armored}`],
      [armor(enums.armor.publicKey, Buffer.concat(bytes)) as string],
      [Buffer.concat(bytes)],
      [Buffer.concat(bytes.slice(0, 2)), third.armored, key.armored],
    ])
      expect((await merge(...files)).map(({ fingerprint }) => fingerprint)).toEqual(all);
  });

  it("are refused, by name and line, when there is anything in them that cannot be read", async () => {
    const secret = key.privateKey.armor();
    const signature = armor(enums.armor.signature, Buffer.from([0xc2, 3, 4, 0, 1])) as string;
    const lines = key.armored.replaceAll("\r", "").split("\n").length;
    for (const [bad, line] of [
      ["", undefined],
      ["junk", undefined],
      [new Uint8Array(), undefined],
      [secret, 1],
      [key.armored + secret, lines],
      [Buffer.concat([publicBytes(other), key.privateKey.write()]), undefined],
      [key.armored + signature, lines],
      [publicBytes(key).subarray(0, 100), undefined],
      // A key of a version to come.
      [Buffer.from([0xc6, 6, 9, 0, 0, 0, 0, 1]), undefined],
      // A message.
      [Buffer.from([0xcb, 3, 0x62, 0, 0]), undefined],
    ] as const)
      expect(await refusal(other.armored, bad), String(bad).slice(0, 60)).toMatchObject({
        code: "KEY_INVALID",
        place: line === undefined ? { file: "file1" } : { file: "file1", line },
      });
  });

  it("say when they are GnuPG's own key box", async () => {
    const box = Buffer.from("\0\0\0\x20\x01\x01\0\x02KBXf\0\0\0\0", "latin1");
    expect(await refusal(box)).toMatchObject({ hint: expect.stringContaining("key box") });
  });

  it("may have parts that nobody needs: trust of GnuPG, signatures of a kind that is not known", async () => {
    const trust = Buffer.from([0xcc, 2, 0, 0]);
    const certification = Buffer.from([0xc2, 5, 3, 5, 0x10, 0, 0]);
    const experimental = Buffer.from([0xff, 1, 0]);
    const bytes = Buffer.concat([publicBytes(key), trust, certification, experimental]);
    expect(await state(bytes)).toEqual({ [key.fingerprint]: false });
  });
});

describe("a revocation", () => {
  it("counts wherever it is", async () => {
    const revokedKey = await revoked(key);
    for (const files of [
      [revokedKey],
      [key.armored, revokedKey],
      [revokedKey, key.armored],
      [other.armored, key.armored, revokedKey],
      [key.armored + certificate],
      [certificate + key.armored],
      [certificate, key.armored],
      [other.armored, key.armored, certificate],
      // Behind another key, as in a file put together of binary ones.
      [Buffer.concat([publicBytes(key), publicBytes(other), await binaryOf(certificate)])],
      [Buffer.concat([publicBytes(key), await binaryOf(certificate)])],
    ]) {
      const found = await state(...files);
      expect(found[key.fingerprint]).toBe(true);
      expect(found[other.fingerprint] ?? false).toBe(false);
    }
    const [merged] = await merge(key.armored, certificate);
    expect(merged?.revoked).toEqual(new Date("2024-05-06"));
  });

  it("of a key that is not here changes nothing", async () => {
    expect(await state(other.armored, certificate)).toEqual({ [other.fingerprint]: false });
    expect(await state(certificate)).toEqual({});
  });

  it("that does not hold is an error, not nothing", async () => {
    const bytes = Buffer.from(await binaryOf(certificate));
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
    const forged = armor(enums.armor.publicKey, bytes) as string;
    for (const files of [[key.armored, forged], [key.armored + forged]])
      expect(await refusal(...files)).toMatchObject({
        code: "KEY_INVALID",
        message: expect.stringContaining(key.fingerprint),
        place: { file: files.length === 2 ? "file1" : "file0", line: expect.any(Number) },
      });
  });

  it("that cannot be read is an error", async () => {
    const unknown = Buffer.from([0xc2, 4, 9, 0x20, 0, 0]);
    const behind = Buffer.concat([publicBytes(key), unknown]);
    for (const bytes of [unknown, behind])
      expect(await refusal(key.armored, bytes)).toMatchObject({
        code: "KEY_INVALID",
        place: { file: "file1" },
      });
  });

  it("by somebody else counts when the key lets them revoke it, and only then", async () => {
    const designated = await designating(other);
    const revocation = await revocationBy(other.privateKey, designated.key);
    const bytes = designated.bytes;
    expect(await state(bytes, other.armored)).toMatchObject({ [designated.fingerprint]: false });
    for (const files of [
      [bytes, other.armored, revocation],
      [other.armored, Buffer.concat([bytes, revocation])],
    ])
      expect(await state(...files)).toMatchObject({
        [designated.fingerprint]: true,
        [other.fingerprint]: false,
      });
    // Without the key of whoever revoked it, nobody can say.
    expect(await refusal(bytes, revocation)).toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining(other.fingerprint.slice(-16)),
    });
    // A stranger has no say.
    const stranger = await revocationBy(key.privateKey, designated.key);
    expect(await state(Buffer.concat([bytes, stranger]))).toMatchObject({ [designated.fingerprint]: false });
  });

  it("of a sub-key that does not hold is an error", async () => {
    const { privateKey } = await makeKey({ subkey: true });
    const [subkey] = privateKey.subkeys;
    if (subkey === undefined) throw new Error("no sub-key");
    const revokedSubkey = await subkey.revoke(privateKey.keyPacket as openpgp.SecretKeyPacket);
    const [signature] = revokedSubkey.revocationSignatures;
    if (signature === undefined) throw new Error("no revocation");
    const body = Buffer.from(signature.write());
    body[body.length - 3] = (body.at(-3) ?? 0) ^ 1;
    const packet = Buffer.concat([Buffer.from([0xc2, body.length]), body]);
    expect(body.length).toBeLessThan(192);
    expect(await refusal(Buffer.concat([privateKey.toPublic().write(), packet]))).toMatchObject({
      code: "KEY_INVALID",
    });
  });
});

it("what several files know of a key is put together, in any order", async () => {
  const later = await extended(key, 3600, new Date("2024-02-01"));
  const latest = await extended(key, 7200, new Date("2024-03-01"));
  const files = [key.armored, later, latest];
  const expirations = [];
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const [merged] = await merge(...order.map((at) => files[at] ?? ""));
    expirations.push(await merged?.key.getExpirationTime());
    expect(merged?.key.users).toHaveLength(1);
    expect(merged?.key.users[0]?.selfCertifications).toHaveLength(3);
  }
  expect(new Set(expirations.map(String)).size).toBe(1);
  expect(expirations[0]).toEqual(new Date(Date.parse("2024-01-01") + 7200_000));
});

it("a sub-key that only one file has is there", async () => {
  const withSubkey = await makeKey({ subkey: true });
  const bare = withSubkey.privateKey.toPublic();
  bare.subkeys = [];
  for (const files of [
    [bare.write(), withSubkey.armored],
    [withSubkey.armored, bare.write()],
  ])
    expect((await merge(...files))[0]?.key.subkeys).toHaveLength(1);
});

/** A key that lets another one revoke it. */
async function designating(
  revoker: TestKey,
): Promise<{ readonly key: PrivateKey; readonly bytes: Uint8Array; readonly fingerprint: string }> {
  const { privateKey } = await generateKey({ userIDs: [{ name: "ward" }], format: "object", subkeys: [] });
  const signature = signaturePacket(privateKey, enums.signature.key);
  signature.revocationKeyClass = 0x80;
  signature.revocationKeyAlgorithm = (
    revoker.privateKey.keyPacket as { algorithm: enums.publicKey }
  ).algorithm;
  signature.revocationKeyFingerprint = Buffer.from(revoker.fingerprint, "hex");
  await signAs(signature, privateKey, { key: privateKey.keyPacket });
  const list = privateKey.toPublic().toPacketList();
  list.splice(1, 0, signature);
  return { key: privateKey, bytes: list.write(), fingerprint: privateKey.getFingerprint().toUpperCase() };
}

/** The revocation of a key by another one: a packet by itself. */
async function revocationBy(issuer: PrivateKey, key: PrivateKey): Promise<Uint8Array> {
  const signature = signaturePacket(issuer, enums.signature.keyRevocation);
  signature.reasonForRevocationFlag = enums.reasonForRevocation.noReason;
  signature.reasonForRevocationString = "";
  await signAs(signature, issuer, { key: key.keyPacket });
  const list = new openpgp.PacketList<SignaturePacket>();
  list.push(signature);
  return list.write();
}

function signaturePacket(issuer: PrivateKey, type: enums.signature): SignaturePacket {
  const signature = new SignaturePacket();
  signature.signatureType = type;
  signature.publicKeyAlgorithm = (issuer.keyPacket as { algorithm: enums.publicKey }).algorithm;
  signature.hashAlgorithm = enums.hash.sha512;
  return signature;
}

async function signAs(signature: SignaturePacket, issuer: PrivateKey, data: object): Promise<void> {
  const signing = signature as unknown as {
    sign(key: object, data: object, date: Date, detached: boolean, config: object): Promise<void>;
  };
  await signing.sign(issuer.keyPacket, data, new Date(), false, openpgp.config);
}
