/**
 * The files in which cosign keeps private keys: PEM around a JSON document that says how a PKCS#8 key is encrypted
 * (`securesystemslib`, "encrypted": scrypt and NaCl's secretbox).
 */
import { randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import * as z from "zod";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** PEM labels: what cosign 2 and later writes, and what cosign 1 wrote. */
export const cosignKeyLabels = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"] as const;

/** What is written: the cost that cosign uses. */
const cost = { N: 65_536, r: 8, p: 1 };
/** A hostile file must not make us compute for hours or use all memory: at most 1 GiB. */
const mostMemory = 2 ** 30;

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);

const base64 = z
  .string()
  .max(64 * 1024)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/)
  .transform((text) => Buffer.from(text, "base64"));
const document = z.object({
  kdf: z.object({
    name: z.literal("scrypt"),
    params: z.object({ N: z.int().min(2), r: z.int().min(1), p: z.int().min(1).max(16) }),
    salt: base64,
  }),
  cipher: z.object({ name: z.literal("nacl/secretbox"), nonce: base64 }),
  ciphertext: base64,
});

/**
 * Decrypts the content of a key file.
 *
 * @param content what is between the PEM lines, decoded
 * @returns the key, PKCS#8 in DER
 * @throws {SpacktainersError} `KEY_INVALID` for a malformed file and a wrong password
 */
export async function decryptCosignKey(content: Uint8Array, password: string, place: Place): Promise<Buffer> {
  let parsed: ReturnType<(typeof document)["safeParse"]>;
  try {
    parsed = document.safeParse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (cause) {
    throw new SpacktainersError("KEY_INVALID", "the private key is malformed", { place, cause });
  }
  if (!parsed.success) throw new SpacktainersError("KEY_INVALID", "the private key is malformed", { place });
  const { kdf, cipher, ciphertext } = parsed.data;
  const { N, r, p } = kdf.params;
  if (!Number.isInteger(Math.log2(N)) || 128 * N * r * p > mostMemory || cipher.nonce.length !== 24)
    throw new SpacktainersError(
      "KEY_INVALID",
      "the private key is encrypted in a way that is not supported",
      {
        place,
      },
    );
  const key = await derive(password, kdf.salt, 32, { N, r, p, maxmem: mostMemory + 2 ** 20 });
  try {
    return Buffer.from(xsalsa20poly1305(key, cipher.nonce).decrypt(ciphertext));
  } catch {
    throw new SpacktainersError("KEY_INVALID", "the private key cannot be decrypted with this password", {
      place,
      hint: "the password is taken from the environment variable COSIGN_PASSWORD",
    });
  }
}

/** Encrypts a PKCS#8 key; the content of a key file, to be put into PEM. Salt and nonce are random. */
export async function encryptCosignKey(pkcs8: Uint8Array, password: string): Promise<Buffer> {
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const key = await derive(password, salt, 32, { ...cost, maxmem: mostMemory });
  const ciphertext = Buffer.from(xsalsa20poly1305(key, nonce).encrypt(pkcs8));
  return Buffer.from(
    JSON.stringify({
      kdf: { name: "scrypt", params: cost, salt: salt.toString("base64") },
      cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
      ciphertext: ciphertext.toString("base64"),
    }),
  );
}
