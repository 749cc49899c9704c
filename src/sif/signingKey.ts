/** The key that signs SIF files. */

import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";

/** A key file is a few kilobytes. */
const largestKeyFile = 2 ** 20;

/** Signs texts as clear-signed messages. */
export interface SifSigner {
  /** Upper-case hexadecimal, of the primary key. */
  readonly fingerprint: string;
  /** @param time of the signature, in seconds since 1970 */
  sign(text: string, time: number): Promise<string>;
}

/**
 * Opens an armoured OpenPGP private key.
 *
 * @param passphrase gives the passphrase; asked only when the key is locked
 * @throws {SpacktainersError} `KEY_INVALID` (no such key, several, a wrong passphrase); `NOT_FOUND` and other errors of the system
 */
export async function openSigner(
  path: string,
  passphrase: () => Promise<string | undefined>,
): Promise<SifSigner> {
  const place = { file: path };
  const bytes = await readBounded(path, largestKeyFile).catch((error: unknown) => {
    throw asSpacktainersError(error, place);
  });
  const invalid = (what: string, hint: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("KEY_INVALID", what, { place, hint, cause });
  const exportHint = "export it with: gpg --armor --export-secret-keys FINGERPRINT";
  if (bytes === undefined) throw invalid("the file is too large to be a key", exportHint);
  const openpgp = await import("openpgp");
  const keys = await openpgp.readPrivateKeys({ armoredKeys: bytes.toString("utf8") }).catch((cause) => {
    throw invalid("not an armoured OpenPGP private key", exportHint, cause);
  });
  const [locked, other] = keys;
  if (locked === undefined || other !== undefined)
    throw invalid(`the file has ${keys.length} private keys`, "it must have one");
  let key = locked;
  if (!locked.isDecrypted()) {
    const secret = await passphrase();
    const hint = "name the variable or the file descriptor with it: --passphrase-env or --passphrase-fd";
    if (secret === undefined) throw invalid("the key is locked by a passphrase", hint);
    // The library's own message may name what it was given.
    key = await openpgp.decryptKey({ privateKey: locked, passphrase: secret }).catch(() => {
      throw invalid("the passphrase does not open the key", hint);
    });
  }
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    async sign(text, time) {
      const message = await openpgp.createCleartextMessage({ text });
      const date = new Date(time * 1000);
      try {
        return await openpgp.sign({
          message,
          signingKeys: key,
          date,
          // The same key, text and time give the same signature; Apptainer knows SHA-256 for certain.
          config: {
            nonDeterministicSignaturesViaNotation: false,
            preferredHashAlgorithm: openpgp.enums.hash.sha256,
          },
        });
      } catch (cause) {
        const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "";
        throw invalid(
          `the key cannot sign: ${reason}`,
          "it may have expired, or be for encryption only",
          cause,
        );
      }
    },
  };
}
