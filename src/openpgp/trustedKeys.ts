/** Who signed: OpenPGP signatures verified against the keys that were named, and no other. */
import type { SignaturePacket } from "openpgp";
import { type Clock, systemClock } from "../util/clock.ts";
import { digestOf } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { parseCleartext } from "./cleartext.ts";
import { judgeSignature, type SignatureVerdict, shortReason, type Verified } from "./judgeSignature.ts";
import type { KeyFile } from "./keyFile.ts";
import { mergeKeys, type TrustedKey } from "./mergeKeys.ts";
import { readKeyMaterial } from "./readKeys.ts";

/** A text whose signature holds. */
export interface VerifiedText extends Verified {
  /** The signed text, and only that. */
  readonly text: string;
}

/** The keys that may sign for something. */
export interface TrustedKeys {
  /** Identifies the set of keys, by the content of the files, whatever their order: results are remembered per set. */
  readonly id: string;
  /** Number of key files. */
  readonly count: number;
  /** Fingerprints of the keys, sorted. Throws KEY_INVALID for files that cannot be read. */
  fingerprints(): Promise<readonly string[]>;
  /**
   * Verifies a clear-signed text. One signature by a trusted key that is neither expired nor revoked now is enough, unless
   * another one by a trusted key is false.
   *
   * @throws SpacktainersError SIGNATURE_INVALID; KEY_UNKNOWN when no key that signed is trusted; KEY_INVALID when the one that
   *   is has expired or was revoked, or when a key file cannot be read
   */
  verifyText(source: string, place: Place): Promise<VerifiedText>;
  /**
   * Verifies a detached signature over some content.
   *
   * @param signature armoured or binary
   * @throws as {@link verifyText}
   */
  verifyDetached(content: Uint8Array, signature: string | Uint8Array, place: Place): Promise<Verified>;
}

/** How to verify, and how to speak of it. */
export interface TrustOptions {
  /** Tells whether keys have expired; default {@link systemClock}. */
  readonly clock?: Clock;
  /** What to do about a signature by a key that is not trusted. */
  readonly unknownHint?: string;
  /** What to do about a signature that does not hold. */
  readonly invalidHint?: string;
}

type OpenPgp = typeof import("openpgp");

/** Signatures a message may carry. */
const maxSignatures = 8;

/** What a signature is to be over. */
interface Covered {
  /** A text without line endings of any kind in particular, or bytes. */
  readonly content: string | Uint8Array;
  /** Hash algorithms that were announced; empty: any. */
  readonly hashes: readonly string[];
}

/**
 * The keys in a set of files, each with several blocks and several keys perhaps. Nothing is parsed before the first
 * signature is to be verified; then everything is, and must be readable.
 */
export function openTrustedKeys(files: readonly KeyFile[], options: TrustOptions = {}): TrustedKeys {
  const { clock = systemClock } = options;
  let loaded: Promise<{ readonly openpgp: OpenPgp; readonly keys: readonly TrustedKey[] }> | undefined;
  const load = () => {
    loaded ??= import("openpgp").then(async (openpgp) => ({
      openpgp,
      keys: await mergeKeys(openpgp, await readKeyMaterial(openpgp, files)),
    }));
    return loaded;
  };

  async function verify(signature: string | Uint8Array, covered: Covered, place: Place): Promise<Verified> {
    const { openpgp, keys } = await load();
    const invalid = (reason: string, cause?: unknown): SpacktainersError =>
      invalidSignature(reason, place, options, cause);
    const { packets } = await (typeof signature === "string"
      ? openpgp.readSignature({ armoredSignature: signature })
      : openpgp.readSignature({ binarySignature: signature })
    ).catch((cause) => {
      throw invalid(`its signature cannot be read: ${shortReason(cause)}`, cause);
    });
    if (packets.length === 0 || packets.length > maxSignatures)
      throw invalid(`it has ${packets.length} signatures`);
    const { content } = covered;
    const message = await (typeof content === "string"
      ? openpgp.createMessage({ text: content })
      : openpgp.createMessage({ binary: content }));
    const [literal] = message.packets;
    if (literal === undefined) throw invalid("it has no content");
    const { signature: signatureTypes, hash: hashTypes } = openpgp.enums;
    const covering: readonly (number | null)[] =
      typeof content === "string" ? [signatureTypes.text] : [signatureTypes.binary, signatureTypes.text];
    const hashOf = ({ hashAlgorithm }: SignaturePacket): string =>
      Object.entries(hashTypes).find(([, number]) => number === hashAlgorithm)?.[0] ?? "";
    const verdicts: SignatureVerdict[] = [];
    for (const packet of packets) {
      const signers = keys.filter(({ key }) => key.getKeys(packet.issuerKeyID).length > 0);
      const keyId = packet.issuerKeyID.toHex().toUpperCase();
      if (signers.length === 0) verdicts.push({ failure: unknownKey(keyId, place, options) });
      // Other types of signature do not cover the content at all.
      else if (!covering.includes(packet.signatureType))
        verdicts.push({ failure: invalid("its signature is not one over its content") });
      else if (covered.hashes.length > 0 && !covered.hashes.includes(hashName(hashOf(packet))))
        verdicts.push({ failure: invalid("its signature is of another kind than it announces") });
      else
        for (const signer of signers)
          verdicts.push(await judgeSignature(packet, signer, literal, { now: clock(), place, invalid }));
    }
    const forged = verdicts.find((verdict) => "failure" in verdict && verdict.forged === true);
    if (forged !== undefined && "failure" in forged) throw forged.failure;
    const good = verdicts.find((verdict) => "verified" in verdict);
    if (good !== undefined && "verified" in good) return good.verified;
    const failures = verdicts.flatMap((verdict) => ("failure" in verdict ? [verdict.failure] : []));
    // What is wrong with a signature by a known key says more than that a stranger signed, too.
    throw failures.find(({ code }) => code !== "KEY_UNKNOWN") ?? failures[0] ?? invalid("it is not signed");
  }

  return {
    id: digestOf(
      files
        .map(({ content }) => digestOf(content))
        .sort()
        .join("\n"),
    ).slice(7, 23),
    count: files.length,
    fingerprints: async () => (await load()).keys.map(({ fingerprint }) => fingerprint),
    async verifyText(source, place) {
      const { text, hashes, signature } = parseCleartext(source, place);
      return { text, ...(await verify(signature, { content: text, hashes }, place)) };
    },
    verifyDetached: (content, signature, place) => verify(signature, { content, hashes: [] }, place),
  };
}

function invalidSignature(
  reason: string,
  place: Place,
  { invalidHint }: TrustOptions,
  cause?: unknown,
): SpacktainersError {
  const future = /in the future/.test(reason);
  return new SpacktainersError("SIGNATURE_INVALID", `refused: ${reason}`, {
    place,
    hint: future
      ? "it was made in the future: is this machine's clock wrong?"
      : (invalidHint ?? "the file was changed after it was signed, or is damaged"),
    cause,
  });
}

function unknownKey(keyId: string, place: Place, { unknownHint }: TrustOptions): SpacktainersError {
  return new SpacktainersError("KEY_UNKNOWN", `signed by the key ${keyId}, which is not trusted here`, {
    place,
    hint: unknownHint ?? "if you trust its owner, name a file with the public key",
  });
}

/** The name in `Hash:` headers of an algorithm that the library calls `sha3_256`. */
function hashName(name: string): string {
  return name.toUpperCase().replace("_", "-");
}
