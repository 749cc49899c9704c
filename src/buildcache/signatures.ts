/** Who signed: OpenPGP cleartext signatures verified against the configured keys, and no other. */
import type { Key, Signature, SignaturePacket } from "openpgp";
import { parseCleartext } from "../util/cleartext.ts";
import { digestOf } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** A text whose signature was verified. */
export interface VerifiedText {
  /** The signed text, and only that. */
  readonly text: string;
  /** Fingerprint (upper-case hexadecimal) of the primary key whose key, or signing sub-key, signed. */
  readonly signedBy: string;
}

/** The keys that may sign for a cache. */
export interface TrustedKeys {
  /** Identifies the set of keys: verified results are remembered per set. */
  readonly id: string;
  /** Number of key files. */
  readonly count: number;
  /**
   * Verifies a clear-signed text.
   *
   * @throws SIGNATURE_INVALID, KEY_UNKNOWN (signed by a key that is not configured), KEY_INVALID (by one that is
   *   expired or revoked, or a configured key is unreadable)
   */
  verify(source: string, place: Place): Promise<VerifiedText>;
}

type OpenPgp = typeof import("openpgp");

/** Signatures a message may carry. */
const maxSignatures = 8;
/** Clocks differ: a signature may be this much younger than now. */
const clockSkewMs = 10 * 60_000;

/**
 * The trusted keys of a configuration. Nothing is parsed before the first signature is to be verified.
 *
 * @param keys armoured public keys; a file may hold several
 */
export function openTrustedKeys(
  keys: readonly { readonly name: string; readonly armored: string }[],
): TrustedKeys {
  let ready: Promise<{ openpgp: OpenPgp; keys: Key[] }> | undefined;
  return {
    id: digestOf(JSON.stringify(keys.map((key) => key.armored.trim()).sort())).slice(7, 23),
    count: keys.length,
    async verify(source, place) {
      const frame = parseCleartext(source, place);
      ready ??= import("openpgp").then(async (openpgp) => ({ openpgp, keys: await readAll(openpgp, keys) }));
      const loaded = await ready;
      return { text: frame.text, signedBy: await verifyFrame(loaded.openpgp, loaded.keys, frame, place) };
    },
  };
}

async function verifyFrame(
  openpgp: OpenPgp,
  keys: Key[],
  frame: { readonly text: string; readonly message: string },
  place: Place,
): Promise<string> {
  const message = await openpgp.readCleartextMessage({ cleartextMessage: frame.message }).catch((cause) => {
    throw invalid(`its signature cannot be read: ${shortReason(cause)}`, place, cause);
  });
  // Two parsers must see the same text; otherwise what was verified is not what we read.
  if (message.getText() !== frame.text)
    throw invalid("the signed text has characters that are read in more than one way", place);
  const date = new Date(Date.now() + clockSkewMs);
  const results = await message.verify(keys, date);
  if (results.length === 0 || results.length > maxSignatures)
    throw invalid(`it has ${results.length} signatures`, place);
  const failures: SpacktainersError[] = [];
  for (const result of results) {
    const signer = keys.find((key) => key.getKeys(result.keyID).length > 0);
    const keyId = result.keyID.toHex().toUpperCase();
    if (signer === undefined) {
      failures.push(unknownKey(keyId, place));
      continue;
    }
    const failure = await check(openpgp, signer, result, date, place);
    if (failure === undefined) return signer.getFingerprint().toUpperCase();
    failures.push(failure);
  }
  // A bad signature by a known key says more than a good one by a stranger.
  throw (
    failures.find((failure) => failure.code !== "KEY_UNKNOWN") ?? failures[0] ?? invalid("unsigned", place)
  );
}

async function check(
  openpgp: OpenPgp,
  signer: Key,
  result: { readonly verified: Promise<boolean>; readonly signature: Promise<Signature> },
  date: Date,
  place: Place,
): Promise<SpacktainersError | undefined> {
  const fingerprint = signer.getFingerprint().toUpperCase();
  const packet = (await result.signature).packets[0] as SignaturePacket | undefined;
  // Other types of signature do not cover the text at all.
  if (packet?.signatureType !== openpgp.enums.signature.text)
    return invalid("its signature is not one over a text", place);
  if (await signer.isRevoked(undefined, undefined, date))
    return unusable(`the key ${fingerprint} is revoked`, "trust the key that replaces it", place);
  try {
    await result.verified;
  } catch (cause) {
    const reason = shortReason(cause);
    if (/revoked/i.test(reason))
      return unusable(`the signing key of ${fingerprint} is revoked`, "", place, cause);
    if (/expired|newer than|not yet valid|no valid/i.test(reason) && !/Signature is expired/.test(reason)) {
      const message = `the key ${fingerprint} was not valid when it signed: ${reason}`;
      return unusable(message, "", place, cause);
    }
    return invalid(`its signature by ${fingerprint} does not hold: ${reason}`, place, cause);
  }
  const expires = await signer.getExpirationTime();
  if (expires === null || expires.valueOf() <= Date.now()) {
    const hint = "if its owner has extended it, export the public key again and configure that";
    return unusable(`the key ${fingerprint} has expired`, hint, place);
  }
  return undefined;
}

async function readAll(
  openpgp: OpenPgp,
  keys: readonly { readonly name: string; readonly armored: string }[],
): Promise<Key[]> {
  const all: Key[] = [];
  for (const { name, armored } of keys) {
    const place = { file: name };
    const read = await openpgp.readKeys({ armoredKeys: armored }).catch((cause) => {
      const hint = "export it with: gpg --armor --export FINGERPRINT";
      throw new SpacktainersError("KEY_INVALID", "not an armoured OpenPGP public key", {
        place,
        hint,
        cause,
      });
    });
    for (const key of read) {
      if (key.isPrivate()) {
        const hint = "configure the public key only, and keep this file to yourself";
        throw new SpacktainersError("KEY_INVALID", "this is a private key", { place, hint });
      }
      all.push(key);
    }
    if (read.length === 0)
      throw new SpacktainersError("KEY_INVALID", "there is no key in this file", { place });
  }
  return all;
}

function invalid(reason: string, place: Place, cause?: unknown): SpacktainersError {
  return new SpacktainersError("SIGNATURE_INVALID", `refused: ${reason}`, {
    place,
    hint: "the file was changed after it was signed, or is damaged; push the package again",
    cause,
  });
}

function unusable(message: string, hint: string, place: Place, cause?: unknown): SpacktainersError {
  return new SpacktainersError("KEY_INVALID", message, { place, ...(hint === "" ? {} : { hint }), cause });
}

function unknownKey(keyId: string, place: Place): SpacktainersError {
  return new SpacktainersError("KEY_UNKNOWN", `signed by the key ${keyId}, which is not trusted here`, {
    place,
    hint: "if you trust its owner, add the public key to the cache's `trust` in spacktainers.yaml, or name it with --trust",
  });
}

function shortReason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split("\n", 1)[0]?.slice(0, 200) ?? "";
}
