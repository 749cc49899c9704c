/** OpenPGP keys made for tests, and clear-signing with them. */
import { createCleartextMessage, generateKey, type PrivateKey, reformatKey, revokeKey, sign } from "openpgp";
import type { KeyFile } from "../../src/openpgp/keyFile.ts";

/** A key file with this content. */
export function keyFile(content: string | Uint8Array, name = "key"): KeyFile {
  return { name, content: Buffer.from(content) };
}

export interface TestKey {
  readonly privateKey: PrivateKey;
  /** Armoured public key. */
  readonly armored: string;
  /** The same as a key file. */
  readonly file: KeyFile;
  /** Upper-case hexadecimal, of the primary key. */
  readonly fingerprint: string;
  /** Clear-signs a text as GnuPG does. */
  sign(text: string, date?: Date): Promise<string>;
}

/** Makes a key. `subkey`: the primary key certifies only, a sub-key signs. */
export async function makeKey(
  options: { readonly subkey?: boolean; readonly date?: Date; readonly lifetimeSeconds?: number } = {},
): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKey({
    userIDs: [{ name: "test", email: "test@example.org" }],
    format: "object",
    ...(options.subkey ? { subkeys: [{ sign: true }] } : { subkeys: [] }),
    ...(options.date === undefined ? {} : { date: options.date }),
    ...(options.lifetimeSeconds === undefined ? {} : { keyExpirationTime: options.lifetimeSeconds }),
  });
  return {
    privateKey,
    armored: publicKey.armor(),
    file: keyFile(publicKey.armor()),
    fingerprint: publicKey.getFingerprint().toUpperCase(),
    async sign(text, date = new Date()) {
      const message = await createCleartextMessage({ text });
      return sign({ message, signingKeys: privateKey, date });
    },
  };
}

/** What a key's owner does to it later. Each gives another copy of the public key, armoured. */
export async function revoked(key: TestKey, date = new Date()): Promise<string> {
  return (await revokeKey({ key: key.privateKey, date, format: "object" })).publicKey.armor();
}

/** A certificate by which the key can be revoked, without the key. */
export async function revocationOf(key: TestKey, date = new Date()): Promise<string> {
  const { publicKey } = await revokeKey({ key: key.privateKey, date, format: "object" });
  return String(await publicKey.getRevocationCertificate(date));
}

/** The public key with another end, which its owner gave it at `date`. */
export async function extended(key: TestKey, lifetimeSeconds: number, date: Date): Promise<string> {
  const { publicKey } = await reformatKey({
    privateKey: key.privateKey,
    userIDs: [{ name: "test", email: "test@example.org" }],
    keyExpirationTime: lifetimeSeconds,
    date,
    format: "object",
  });
  return publicKey.armor();
}
