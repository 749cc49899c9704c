import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  generateSigningKey,
  readSigningKey,
  readVerificationKey,
  readVerificationKeys,
} from "../../src/supply/signingKey.ts";

const place = { file: "cosign.key" };
const payload = Buffer.from("what is signed");
const noPassword = () => undefined;
const pem = { format: "pem", type: "pkcs8" } as const;

describe("signing keys", () => {
  let made: Awaited<ReturnType<typeof generateSigningKey>>;
  beforeAll(async () => {
    made = await generateSigningKey("correct horse");
  });

  it("are made encrypted, and read with their password only", async () => {
    expect(made.privateKey).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
    const key = await readSigningKey(made.privateKey, () => "correct horse", place);
    const trusted = readVerificationKey(made.publicKey, place);
    expect(key.publicKey.fingerprint).toBe(trusted.fingerprint);
    expect(trusted.verify(payload, key.sign(payload))).toBe(true);
    await expect(readSigningKey(made.privateKey, () => "wrong", place)).rejects.toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining("password"),
      hint: expect.stringContaining("COSIGN_PASSWORD"),
    });
    await expect(readSigningKey(made.privateKey, noPassword, place)).rejects.toMatchObject({
      code: "KEY_INVALID",
    });
  });

  it.each([
    ["ecdsa-p256", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(pem)],
    [
      "ecdsa-p256",
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ ...pem, type: "sec1" }),
    ],
    ["ed25519", generateKeyPairSync("ed25519").privateKey.export(pem)],
    ["rsa", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export(pem)],
    ["rsa", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ ...pem, type: "pkcs1" })],
  ])("of kind %s sign; a changed payload, signature or another key does not verify", async (kind, text) => {
    const key = await readSigningKey(text.toString(), noPassword, place);
    expect(key.publicKey.algorithm).toBe(kind);
    const signature = key.sign(payload);
    expect(readVerificationKey(key.publicKey.pem, place).verify(payload, signature)).toBe(true);
    expect(key.publicKey.verify(Buffer.from("What is signed"), signature)).toBe(false);
    expect(key.publicKey.verify(payload, signature.subarray(1))).toBe(false);
    expect(key.publicKey.verify(payload, Buffer.alloc(0))).toBe(false);
    expect(readVerificationKey(made.publicKey, place).verify(payload, signature)).toBe(false);
  });

  it("of PKCS #8 may be encrypted as OpenSSL does", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const text = privateKey.export({ ...pem, cipher: "aes-256-cbc", passphrase: "secret" }).toString();
    const key = await readSigningKey(text, () => "secret", place);
    expect(key.publicKey.verify(payload, key.sign(payload))).toBe(true);
    await expect(readSigningKey(text, () => "wrong", place)).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it("of other kinds, and what is no key, are refused", async () => {
    const key = (text: string) => readSigningKey(text, () => "", place);
    const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" });
    await expect(key(p521.privateKey.export(pem).toString())).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
    const short = generateKeyPairSync("rsa", { modulusLength: 1024 });
    await expect(key(short.privateKey.export(pem).toString())).rejects.toMatchObject({ code: "KEY_INVALID" });
    for (const text of [
      "",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
      "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
      made.publicKey,
    ])
      await expect(key(text)).rejects.toMatchObject({ code: "KEY_INVALID" });
    for (const text of ["", made.privateKey, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
      expect(() => readVerificationKey(text, place)).toThrow(
        expect.objectContaining({ code: "KEY_INVALID" }),
      );
  });

  it("are all read from a file of several, and nothing in it is left out in silence", async () => {
    const others = await Promise.all([generateSigningKey(""), generateSigningKey("")]);
    const pems = [made, ...others].map(({ publicKey }) => publicKey);
    const file = `first\n${pems.join("\nnext\n")}`;
    for (const text of [file, file.replaceAll("\n", "\r\n")])
      expect(readVerificationKeys(text, place).map(({ pem: one }) => one)).toEqual(pems);
    expect(() => readVerificationKey(file, place)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
    const lines = file.split("\n").length;
    for (const bad of [
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
      made.publicKey.replace(/-----END.*/, ""),
      made.privateKey,
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ])
      expect(() => readVerificationKeys(file + bad, place)).toThrow(
        expect.objectContaining({ code: "KEY_INVALID", place: { ...place, line: lines } }),
      );
  });

  it("whose file asks for endless work are refused at once", async () => {
    const content = (params: object) =>
      Buffer.from(
        JSON.stringify({
          kdf: { name: "scrypt", params, salt: "AAAA" },
          cipher: { name: "nacl/secretbox", nonce: Buffer.alloc(24).toString("base64") },
          ciphertext: "AAAA",
        }),
      ).toString("base64");
    for (const params of [
      { N: 2 ** 30, r: 8, p: 1 },
      { N: 65536, r: 2 ** 20, p: 16 },
      { N: 3, r: 8, p: 1 },
    ]) {
      const text = `-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n${content(params)}\n-----END ENCRYPTED COSIGN PRIVATE KEY-----\n`;
      await expect(readSigningKey(text, () => "x", place)).rejects.toThrow(/not supported/);
    }
  });
});
