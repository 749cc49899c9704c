import {
  config,
  createCleartextMessage,
  createMessage,
  enums,
  generateKey,
  PacketList,
  type PrivateKey,
  readCleartextMessage,
  readSignature,
  type SecretKeyPacket,
  Signature,
  SignaturePacket,
  sign,
} from "openpgp";
import { beforeAll, describe, expect, it } from "vitest";
import { parseCleartext } from "../../src/openpgp/cleartext.ts";
import type { KeyFile } from "../../src/openpgp/keyFile.ts";
import { openTrustedKeys } from "../../src/openpgp/trustedKeys.ts";
import { extended, keyFile, makeKey, revoked, type TestKey } from "../support/signingKey.ts";
import { underStandaloneSignature } from "../support/standaloneSignature.ts";

const place = { url: "https://cache.example/file" };
const text = '{\n"spec":{\n"name":"zlib"\n}\n}';
let key: TestKey;
let stranger: TestKey;
let signed: string;

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeKey(), makeKey()]);
  signed = await key.sign(text);
});

const trusting = (...keys: readonly TestKey[]) => openTrustedKeys(keys.map(({ file }) => file));

describe("openTrustedKeys", () => {
  it("accepts a signature by a configured key, wherever it stands in the list", async () => {
    const verified = await trusting(stranger, key).verifyText(signed, place);
    expect(verified).toEqual({ text, signedBy: key.fingerprint });
    expect((await trusting(key).verifyText(signed.replaceAll("\n", "\r\n"), place)).text).toBe(text);
  });

  it("names the primary key when a sub-key signed", async () => {
    const owner = await makeKey({ subkey: true });
    const message = await owner.sign(text);
    const issuer = (await readCleartextMessage({ cleartextMessage: message })).getSigningKeyIDs()[0];
    expect(issuer?.toHex().toUpperCase()).not.toBe(owner.fingerprint.slice(-16));
    expect((await trusting(owner).verifyText(message, place)).signedBy).toBe(owner.fingerprint);
  });

  it("refuses a key that is not configured, naming it", async () => {
    await expect(trusting(stranger).verifyText(signed, place)).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
      message: expect.stringContaining(key.fingerprint.slice(-16)),
      hint: expect.stringContaining("public key"),
    });
    await expect(trusting().verifyText(signed, place)).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
  });

  it("refuses changed text, wherever the change is", async () => {
    const trusted = trusting(key);
    const start = signed.indexOf("{");
    const end = signed.indexOf("\n-----BEGIN PGP SIGNATURE");
    for (let at = start; at < end; at++) {
      const other = signed[at] === "x" ? "y" : signed[at] === "\n" ? "" : "x";
      const changed = signed.slice(0, at) + other + signed.slice(at + 1);
      await expect(trusted.verifyText(changed, place), `byte ${at}`).rejects.toMatchObject({
        code: "SIGNATURE_INVALID",
      });
    }
  });

  it("refuses a damaged signature", async () => {
    const at = signed.indexOf("\n\n", signed.indexOf("BEGIN PGP SIGNATURE")) + 30;
    const changed = signed.slice(0, at) + (signed[at] === "A" ? "B" : "A") + signed.slice(at + 1);
    await expect(trusting(key).verifyText(changed, place)).rejects.toMatchObject({
      code: expect.stringMatching(/^(SIGNATURE_INVALID|KEY_UNKNOWN)$/),
    });
  });

  it("refuses the signature of another text put under this one", async () => {
    const other = await key.sign("another text");
    const cut = (message: string) => message.indexOf("-----BEGIN PGP SIGNATURE");
    const mixed = signed.slice(0, cut(signed)) + other.slice(cut(other));
    await expect(trusting(key).verifyText(mixed, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("refuses a signature that does not cover the text at all", async () => {
    const bytes = await underStandaloneSignature(text, key.privateKey);
    await expect(trusting(key).verifyText(bytes, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it.each(["sha1", "md5"] as const)("refuses %s", async (hash) => {
    const message = await createCleartextMessage({ text });
    const weak = await sign({
      message,
      signingKeys: key.privateKey,
      config: { ...config, preferredHashAlgorithm: enums.hash[hash] },
    }).catch(() => undefined);
    if (weak?.includes(`Hash: ${hash.toUpperCase()}`)) {
      await expect(trusting(key).verifyText(weak, place)).rejects.toMatchObject({
        code: "SIGNATURE_INVALID",
      });
      return;
    }
    // The library will not even make one; a header that claims it must not help either.
    const claimed = signed.replace(/Hash: .*/, `Hash: ${hash.toUpperCase()}`);
    await expect(trusting(key).verifyText(claimed, place)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
  });

  it("refuses a signature from the future and accepts a small difference of clocks", async () => {
    const future = await key.sign(text, new Date(Date.now() + 3600_000));
    await expect(trusting(key).verifyText(future, place)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
    const soon = await key.sign(text, new Date(Date.now() + 60_000));
    expect((await trusting(key).verifyText(soon, place)).text).toBe(text);
  });

  it("needs one good signature of several, and takes no false one beside it", async () => {
    const [second, third] = await Promise.all([makeKey(), makeKey()]);
    const message = await createCleartextMessage({ text });
    const both = await sign({ message, signingKeys: [second.privateKey, key.privateKey] });
    expect((await trusting(key).verifyText(both, place)).signedBy).toBe(key.fingerprint);
    expect((await trusting(second).verifyText(both, place)).signedBy).toBe(second.fingerprint);
    await expect(trusting(third).verifyText(both, place)).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
    // One of them over another text.
    const mixed = await mixSignatures(text, [key.privateKey], "another text", [second.privateKey]);
    expect((await trusting(key).verifyText(mixed, place)).signedBy).toBe(key.fingerprint);
    await expect(trusting(key, second).verifyText(mixed, place)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      message: expect.stringContaining(second.fingerprint),
    });
  });

  it("says which key file cannot be read, before it believes anything", async () => {
    const broken = openTrustedKeys([key.file, keyFile("not a key", "keys/bad.pub")]);
    await expect(broken.verifyText(signed, place)).rejects.toMatchObject({
      code: "KEY_INVALID",
      place: { file: "keys/bad.pub" },
    });
    const secret = openTrustedKeys([keyFile(key.privateKey.armor(), "keys/secret")]);
    await expect(secret.verifyText(signed, place)).rejects.toMatchObject({ code: "KEY_INVALID" });
    await expect(secret.fingerprints()).rejects.toMatchObject({ code: "KEY_INVALID" });
    expect(await trusting(key, stranger).fingerprints()).toEqual(
      [key.fingerprint, stranger.fingerprint].sort(),
    );
  });

  it("identifies the set of keys by content, not by order or name", () => {
    expect(trusting(key, stranger).id).toBe(trusting(stranger, key).id);
    expect(trusting(key).id).not.toBe(trusting(stranger).id);
    expect(trusting(key).id).not.toBe(trusting(key, stranger).id);
    expect(openTrustedKeys([{ name: "elsewhere", content: key.file.content }]).id).toBe(trusting(key).id);
  });
});

describe("time", () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const start = Date.parse("2024-01-01");
  const at = (time: number, ...files: readonly KeyFile[]) => openTrustedKeys(files, { clock: () => time });
  const expired = { code: "KEY_INVALID", message: expect.stringContaining("has expired on 2024-01-31") };

  it("ends what a key signed with the key, and gives it back when the key is extended", async () => {
    const old = await makeKey({ date: new Date(start), lifetimeSeconds: 30 * 86_400 });
    const message = await old.sign(text, new Date(start + day));
    const end = start + 30 * day;
    for (const time of [start + day, end - minute, end - 1])
      expect(await at(time, old.file).verifyText(message, place)).toEqual({
        text,
        signedBy: old.fingerprint,
        validUntil: end,
      });
    for (const time of [end, end + 365 * day])
      await expect(at(time, old.file).verifyText(message, place)).rejects.toMatchObject(expired);
    const longer = keyFile(await extended(old, 60 * 86_400, new Date(start + 20 * day)));
    for (const files of [[longer], [old.file, longer], [longer, old.file]]) {
      expect((await at(end + day, ...files).verifyText(message, place)).validUntil).toBe(start + 60 * day);
      await expect(at(start + 61 * day, ...files).verifyText(message, place)).rejects.toMatchObject({
        code: "KEY_INVALID",
      });
    }
    // Its owner may also shorten its life.
    const shorter = keyFile(await extended(old, 10 * 86_400, new Date(start + 2 * day)));
    await expect(at(start + 11 * day, old.file, shorter).verifyText(message, place)).rejects.toMatchObject({
      code: "KEY_INVALID",
    });
  });

  it("ends what a sub-key signed with the sub-key", async () => {
    const { privateKey } = await generateKey({
      userIDs: [{ name: "test" }],
      format: "object",
      date: new Date(start),
      subkeys: [{ sign: true, keyExpirationTime: 30 * 86_400, date: new Date(start) }],
    });
    const message = await sign({
      message: await createCleartextMessage({ text }),
      signingKeys: privateKey,
      date: new Date(start + day),
    });
    const file = keyFile(privateKey.toPublic().armor());
    expect((await at(start + 2 * day, file).verifyText(message, place)).validUntil).toBe(start + 30 * day);
    await expect(at(start + 31 * day, file).verifyText(message, place)).rejects.toMatchObject(expired);
  });

  it("does not make up for a revocation, whenever that was", async () => {
    const bad = await makeKey({ date: new Date(start) });
    const message = await bad.sign(text, new Date(start + day));
    const file = keyFile(await revoked(bad, new Date(start + 5 * day)));
    for (const time of [start + 2 * day, start + 6 * day, start + 3650 * day])
      for (const files of [
        [file, bad.file],
        [bad.file, file],
      ])
        await expect(at(time, ...files).verifyText(message, place)).rejects.toMatchObject({
          code: "KEY_INVALID",
          message: expect.stringContaining("was revoked on 2024-01-06"),
        });
  });

  it("refuses the signature of a sub-key that was revoked", async () => {
    const owner = await makeKey({ subkey: true, date: new Date(start) });
    const message = await owner.sign(text, new Date(start + day));
    const [subkey] = owner.privateKey.subkeys;
    if (subkey === undefined) throw new Error("no sub-key");
    const keyPacket = owner.privateKey.keyPacket as SecretKeyPacket;
    owner.privateKey.subkeys[0] = await subkey.revoke(keyPacket, {}, new Date(start + 5 * day));
    const file = keyFile(owner.privateKey.toPublic().armor());
    for (const files of [[file], [owner.file, file], [file, owner.file]])
      await expect(at(start + 6 * day, ...files).verifyText(message, place)).rejects.toMatchObject({
        code: "KEY_INVALID",
        message: expect.stringContaining("revoked"),
      });
  });

  it("ends a signature that says so itself", async () => {
    const good = await makeKey({ date: new Date(start) });
    const message = await signUntil(good.privateKey, text, new Date(start), 86_400);
    expect((await at(start + minute, good.file).verifyText(message, place)).validUntil).toBe(start + day);
    await expect(at(start + day, good.file).verifyText(message, place)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
  });

  it("may differ by some minutes, not by more", async () => {
    const young = await makeKey({ date: new Date(start) });
    const message = await young.sign(text, new Date(start));
    expect((await at(start - 5 * minute, young.file).verifyText(message, place)).text).toBe(text);
    await expect(at(start - 15 * minute, young.file).verifyText(message, place)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
      hint: expect.stringContaining("clock"),
    });
  });
});

/** A message with the signatures of some keys over its text, and of others over another one. */
async function mixSignatures(
  own: string,
  good: PrivateKey[],
  other: string,
  bad: PrivateKey[],
): Promise<string> {
  const packets = new PacketList<SignaturePacket>();
  for (const [content, signingKeys] of [
    [own, good],
    [other, bad],
  ] as const) {
    const message = await createCleartextMessage({ text: content });
    const armored = await sign({ message, signingKeys: [...signingKeys] });
    const { signature } = parseCleartext(armored, place);
    packets.push(...(await readSignature({ armoredSignature: signature })).packets);
  }
  return underSignature(own, packets);
}

/** A message whose signature ends after some seconds. */
async function signUntil(key: PrivateKey, own: string, date: Date, seconds: number): Promise<string> {
  const packet = new SignaturePacket();
  packet.signatureType = enums.signature.text;
  packet.publicKeyAlgorithm = (key.keyPacket as { algorithm: enums.publicKey }).algorithm;
  packet.hashAlgorithm = enums.hash.sha512;
  packet.signatureExpirationTime = seconds;
  packet.signatureNeverExpires = false;
  const [literal] = (await createMessage({ text: own })).packets;
  const signing = packet as unknown as {
    sign(key: object, data: unknown, date: Date, detached: boolean, settings: object): Promise<void>;
  };
  await signing.sign(key.keyPacket, literal, date, true, config);
  const packets = new PacketList<SignaturePacket>();
  packets.push(packet);
  return underSignature(own, packets);
}

function underSignature(own: string, packets: PacketList<SignaturePacket>): string {
  const signature = new Signature(packets).armor().replaceAll("\r", "");
  return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${own}\n${signature}`;
}
