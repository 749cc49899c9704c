/** Keys that sign. */
import type { PrivateKey } from "openpgp";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { readBlocks } from "./armor.ts";
import { readKeyBytes } from "./keyFile.ts";

/** Signs texts and files as one key. The key itself cannot be read from it. */
export interface Signer {
  /** Of the primary key, upper-case hexadecimal. */
  readonly fingerprint: string;
  /** The public key, armoured. */
  publicKey(): Promise<string>;
  /**
   * Signs a text as a clear-signed message.
   *
   * @param time of the signature, in seconds since 1970
   * @throws SpacktainersError KEY_INVALID when the key cannot sign at that time
   */
  signText(text: string, time: number): Promise<string>;
  /** Signs some content; the signature is by itself, armoured. Time and errors as with {@link Signer.signText}. */
  signDetached(content: Uint8Array, time: number): Promise<string>;
}

/**
 * Opens a file with one OpenPGP private key, armoured or binary.
 *
 * @param passphrase gives the passphrase; asked only when the key is locked
 * @throws SpacktainersError KEY_INVALID when the file has no such key or several, or the passphrase is wrong; NOT_FOUND,
 *   ACCESS_DENIED, IO
 */
export async function openSigner(
  path: string,
  passphrase: () => Promise<string | undefined>,
): Promise<Signer> {
  return signerFrom(await readKeyBytes(path), { file: path }, passphrase);
}

/**
 * A signer of one OpenPGP private key, armoured or binary.
 *
 * @param place where the key is from, for errors
 * @param passphrase as in {@link openSigner}
 * @throws SpacktainersError KEY_INVALID as {@link openSigner}
 */
export async function signerFrom(
  content: Uint8Array,
  place: Place,
  passphrase: () => Promise<string | undefined>,
): Promise<Signer> {
  const invalid = (what: string, hint: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("KEY_INVALID", what, { place, hint, cause });
  const exportHint = "export it with: gpg --armor --export-secret-keys FINGERPRINT";
  const blocks = readBlocks(content, place.file ?? "the private key");
  const openpgp = await import("openpgp");
  const keys: PrivateKey[] = [];
  for (const { kind, bytes } of blocks) {
    // The public key beside it does no harm.
    if (kind === "PUBLIC KEY BLOCK") continue;
    if (kind !== "PRIVATE KEY BLOCK" && kind !== "binary")
      throw invalid(`this is not a private key, but: ${kind.toLowerCase()}`, exportHint);
    keys.push(
      ...(await openpgp.readPrivateKeys({ binaryKeys: bytes }).catch((cause) => {
        throw invalid("this is not an OpenPGP private key", exportHint, cause);
      })),
    );
  }
  const [locked, other] = keys;
  if (locked === undefined) throw invalid("there is no OpenPGP private key in this file", exportHint);
  if (other !== undefined) throw invalid(`the file has ${keys.length} private keys`, "it must have one");
  const key = await unlock(locked);

  async function unlock(privateKey: PrivateKey): Promise<PrivateKey> {
    if (privateKey.isDecrypted()) return privateKey;
    const secret = await passphrase();
    const hint =
      "for `sif`, --passphrase-env or --passphrase-fd say where it is; for caches, put it into SPACKTAINERS_SIGNING_PASSPHRASE";
    if (secret === undefined) throw invalid("the key is locked by a passphrase", hint);
    // The library's own message may name what it was given.
    return openpgp.decryptKey({ privateKey, passphrase: secret }).catch(() => {
      throw invalid("the passphrase does not open the key", hint);
    });
  }

  /** The same key, content and time give the same signature; every verifier knows SHA-256. */
  const settings = (time: number) => ({
    signingKeys: key,
    date: new Date(time * 1000),
    config: {
      nonDeterministicSignaturesViaNotation: false,
      preferredHashAlgorithm: openpgp.enums.hash.sha256,
    },
  });
  const cannotSign = (cause: unknown): never => {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "";
    throw invalid(`the key cannot sign: ${reason}`, "it may have expired, or be for encryption only", cause);
  };
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    publicKey: async () => key.toPublic().armor(),
    async signText(text, time) {
      const message = await openpgp.createCleartextMessage({ text });
      return openpgp.sign({ message, ...settings(time) }).catch(cannotSign);
    },
    async signDetached(content, time) {
      const message = await openpgp.createMessage({ binary: content });
      const signature = await openpgp.sign({ message, detached: true, ...settings(time) }).catch(cannotSign);
      return String(signature);
    },
  };
}
