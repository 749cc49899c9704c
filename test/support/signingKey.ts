/** OpenPGP keys made for tests, and clear-signing with them. */
import { createCleartextMessage, generateKey, type PrivateKey, sign } from "openpgp";

export interface TestKey {
  readonly privateKey: PrivateKey;
  /** Armoured public key. */
  readonly armored: string;
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
    fingerprint: publicKey.getFingerprint().toUpperCase(),
    async sign(text, date = new Date()) {
      const message = await createCleartextMessage({ text });
      return sign({ message, signingKeys: privateKey, date });
    },
  };
}
