/** Keys that sign images, and those that verify: ECDSA on P-256, Ed25519 and RSA, in the files that cosign and OpenSSL use. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { cosignKeyLabels, decryptCosignKey, encryptCosignKey } from "./cosignKeyFile.ts";

/** A public key: what verifies. */
export interface VerificationKey {
  /** SHA-256 of the key (SubjectPublicKeyInfo, DER), hexadecimal. */
  readonly fingerprint: string;
  readonly algorithm: KeyAlgorithm;
  /** SubjectPublicKeyInfo as PEM. */
  readonly pem: string;
  /** True if the signature over the payload is this key's. Never throws. */
  verify(payload: Uint8Array, signature: Uint8Array): boolean;
}

/** A private key: what signs. The key itself cannot be read from it. */
export interface SigningKey {
  readonly publicKey: VerificationKey;
  /** ECDSA: ASN.1, over SHA-256. RSA: PKCS #1 v1.5 over SHA-256. Ed25519: over the payload itself. */
  sign(payload: Uint8Array): Buffer;
}

/** What a key signs with. */
export type KeyAlgorithm = "ecdsa-p256" | "ed25519" | "rsa";

/** Most bytes a key file may have. */
export const largestKeyFile = 1024 * 1024;

/**
 * Reads a public key from PEM.
 *
 * @throws {SpacktainersError} `KEY_INVALID`, also when there are several; `NOT_SUPPORTED` for kinds of keys that cosign does
 *   not use
 */
export function readVerificationKey(pem: string, place: Place): VerificationKey {
  const [key, other] = readVerificationKeys(pem, place);
  if (key === undefined || other !== undefined)
    throw new SpacktainersError("KEY_INVALID", "the file has several public keys", { place });
  return key;
}

/**
 * Reads every public key of a file in PEM: nothing in it is left out in silence.
 *
 * @returns at least one
 * @throws {SpacktainersError} `KEY_INVALID`, with the line; `NOT_SUPPORTED` for kinds of keys that cosign does not use
 */
export function readVerificationKeys(pem: string, place: Place): readonly VerificationKey[] {
  const lines = pem.split("\n").map((line) => line.trim());
  const keys: VerificationKey[] = [];
  for (let at = 0; at < lines.length; at++) {
    const label = /^-----BEGIN ([A-Z0-9 ]{1,64})-----$/.exec(lines[at] ?? "")?.[1];
    if (label === undefined) continue;
    const here = { ...place, line: at + 1 };
    if (label.endsWith("PRIVATE KEY"))
      throw new SpacktainersError("KEY_INVALID", "this is a private key", {
        place: here,
        hint: "verify with the public key, and keep this file to yourself",
      });
    const end = lines.indexOf(`-----END ${label}-----`, at);
    if (end < 0 || !/^(?:RSA )?PUBLIC KEY$/.test(label))
      throw new SpacktainersError("KEY_INVALID", `this is not a public key: ${label.toLowerCase()}`, {
        place: here,
        hint: pemHint,
      });
    try {
      keys.push(verificationKey(createPublicKey(lines.slice(at, end + 1).join("\n")), here));
    } catch (cause) {
      if (cause instanceof SpacktainersError) throw cause;
      throw new SpacktainersError("KEY_INVALID", "the public key is malformed", { place: here, cause });
    }
    at = end;
  }
  if (keys.length === 0)
    throw new SpacktainersError("KEY_INVALID", "not a public key in PEM", { place, hint: pemHint });
  return keys;
}

const pemHint = "cosign's public keys are called cosign.pub; `cosign public-key --key cosign.key` prints one";

/**
 * Reads a private key: cosign's encrypted files, or PKCS#8, SEC 1 and PKCS#1 in PEM, encrypted or not.
 *
 * @param password asked for only when the key is encrypted; undefined: there is none
 * @throws {SpacktainersError} `KEY_INVALID`; `NOT_SUPPORTED` for kinds of keys that cosign does not use
 */
export async function readSigningKey(
  pem: string,
  password: () => string | undefined,
  place: Place,
): Promise<SigningKey> {
  const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(pem);
  if (block === null) throw new SpacktainersError("KEY_INVALID", "not a private key in PEM", { place });
  const [, label = "", body = ""] = block;
  if (!label.includes("PRIVATE KEY"))
    throw new SpacktainersError("KEY_INVALID", `this is not a private key: ${label.toLowerCase()}`, {
      place,
    });
  const encrypted = label.startsWith("ENCRYPTED") || /\bENCRYPTED\b/.test(pem);
  const given = encrypted ? password() : undefined;
  if (encrypted && given === undefined)
    throw new SpacktainersError("KEY_INVALID", "the private key is encrypted, and there is no password", {
      place,
      hint: "put it into the environment variable COSIGN_PASSWORD",
    });
  try {
    if (cosignKeyLabels.some((known) => known === label)) {
      const der = await decryptCosignKey(Buffer.from(body, "base64"), given ?? "", place);
      return signingKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }), place);
    }
    return signingKey(createPrivateKey(given === undefined ? pem : { key: pem, passphrase: given }), place);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) throw thrown;
    // The cause may quote the key: it is left out.
    throw new SpacktainersError(
      "KEY_INVALID",
      encrypted ? "the private key cannot be decrypted with this password" : "the private key is malformed",
      { place },
    );
  }
}

/** A new key pair as two files: `cosign.key`, encrypted, and `cosign.pub`. ECDSA on P-256, as cosign makes them. */
export async function generateSigningKey(
  password: string,
): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = pair.privateKey.export({ format: "der", type: "pkcs8" });
  return {
    privateKey: toPem(cosignKeyLabels[0], await encryptCosignKey(pkcs8, password)),
    publicKey: pair.publicKey.export({ format: "pem", type: "spki" }).toString(),
  };
}

function signingKey(key: KeyObject, place: Place): SigningKey {
  const publicKey = verificationKey(createPublicKey(key), place);
  const hash = publicKey.algorithm === "ed25519" ? null : "sha256";
  return { publicKey, sign: (payload) => sign(hash, payload, key) };
}

function verificationKey(key: KeyObject, place: Place): VerificationKey {
  const algorithm = algorithmOf(key, place);
  const hash = algorithm === "ed25519" ? null : "sha256";
  return {
    algorithm,
    fingerprint: createHash("sha256")
      .update(key.export({ format: "der", type: "spki" }))
      .digest("hex"),
    pem: key.export({ format: "pem", type: "spki" }).toString(),
    verify(payload, signature) {
      try {
        return verify(hash, payload, key, signature);
      } catch {
        return false;
      }
    },
  };
}

function algorithmOf(key: KeyObject, place: Place): KeyAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return "ed25519";
  if (type === "ec" && details?.namedCurve === "prime256v1") return "ecdsa-p256";
  if (type === "rsa") {
    const bits = details?.modulusLength ?? 0;
    if (bits >= 2048 && bits <= 16_384) return "rsa";
    throw new SpacktainersError("KEY_INVALID", `an RSA key of ${bits} bits is not used`, {
      place,
      hint: "at least 2048",
    });
  }
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `keys of this kind are not supported (${details?.namedCurve ?? type})`,
    {
      place,
      hint: "use ECDSA on P-256, Ed25519 or RSA",
    },
  );
}

function toPem(label: string, content: Buffer): string {
  const lines = content.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
