/** What a signature by a trusted key is worth at a moment. */
import type { KeyID, PublicKey, SignaturePacket } from "openpgp";
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { TrustedKey } from "./mergeKeys.ts";

/** Clocks differ: a signature or a key may be this much younger than now. */
const clockSkewMs = 10 * 60_000;

/** A signature that holds. */
export interface Verified {
  /** Fingerprint (upper-case hexadecimal) of the primary key whose key, or signing sub-key, signed. */
  readonly signedBy: string;
  /**
   * Until when it holds, if no key changes: the first end of the key, its sub-key and the signature, in milliseconds since
   * 1970; undefined when none of them ends. What is remembered of a verification must not outlive it.
   */
  readonly validUntil: number | undefined;
}

/** What one signature is worth. */
export type SignatureVerdict =
  | { readonly verified: Verified }
  /** `forged`: it claims to be a trusted key's, and is none over this content. */
  | { readonly failure: SpacktainersError; readonly forged?: boolean };

/** What a signature is judged by. */
export interface JudgeContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly place: Place;
  /** The error for a signature that does not hold. */
  invalid(reason: string, cause?: unknown): SpacktainersError;
}

/**
 * Judges a signature by a key that is trusted: first whether it is one over the content, then whether the key is good now.
 * GnuPG does the same: what a key signed while it was good is worth nothing once it has expired or was revoked.
 *
 * @param literal the packet that holds the content
 */
export async function judgeSignature(
  packet: SignaturePacket,
  { fingerprint, key, revoked }: TrustedKey,
  literal: object,
  { now, place, invalid }: JudgeContext,
): Promise<SignatureVerdict> {
  const [signingKey] = key.getKeys(packet.issuerKeyID);
  if (signingKey === undefined || packet.signatureType === null)
    return { failure: invalid("it is not signed") };
  const date = new Date(now + clockSkewMs);
  try {
    await packet.verify(signingKey.keyPacket, packet.signatureType, literal, date, true);
  } catch (cause) {
    const reason = shortReason(cause);
    const forged = /digest did not match|verification failed/i.test(reason);
    return { failure: invalid(`its signature by ${fingerprint} does not hold: ${reason}`, cause), forged };
  }
  if (packet.created !== null && packet.created < signingKey.getCreationTime())
    return { failure: invalid(`its signature is older than the key ${fingerprint}`) };
  const unusable = (what: string, hint: string, cause?: unknown): SignatureVerdict => ({
    failure: new SpacktainersError("KEY_INVALID", `the key ${fingerprint} ${what}`, { place, hint, cause }),
  });
  if (revoked !== undefined)
    return unusable(`was revoked on ${day(revoked)}`, "its owner revoked it: use the key that replaces it");
  const end = await endOf(key, packet.issuerKeyID);
  if (end !== undefined && end <= now)
    return unusable(
      `has expired on ${day(new Date(end))}`,
      "if its owner has extended it, export the public key again and configure that",
    );
  // Sub-keys that are revoked or not the key's own, keys that are not for signing, too weak, without a valid name, …
  const trouble = await troubleOf(key, packet.issuerKeyID, now);
  if (trouble !== undefined)
    return unusable(
      `cannot be used: ${shortReason(trouble)}`,
      "export the public key again, or use another",
      trouble,
    );
  const signatureEnd = timeOf(packet.getExpirationTime());
  if (signatureEnd !== undefined && signatureEnd <= now)
    return { failure: invalid(`its signature by ${fingerprint} has expired`) };
  const ends = [end, signatureEnd].filter((time) => time !== undefined);
  return {
    verified: { signedBy: fingerprint, validUntil: ends.length === 0 ? undefined : Math.min(...ends) },
  };
}

/** When a key, or the sub-key of it that signed, ends; undefined when neither does. In milliseconds. */
async function endOf(key: PublicKey, signer: KeyID): Promise<number | undefined> {
  // The state of a sub-key is that of its latest binding, whenever that was made.
  const anyTime = null as unknown as Date;
  const ends = [
    timeOf(await key.getExpirationTime()),
    ...(await Promise.all(
      key.getSubkeys(signer).map(async (subkey) => timeOf(await subkey.getExpirationTime(anyTime))),
    )),
  ].filter((time) => time !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** Why a key cannot have signed; undefined when it can. */
async function troubleOf(key: PublicKey, signer: KeyID, now: number): Promise<unknown> {
  for (const time of [now, now + clockSkewMs]) {
    try {
      await key.getSigningKey(signer, new Date(time));
      return undefined;
    } catch (cause) {
      // A key made a moment ago on a machine whose clock is ahead does not exist yet by our clock.
      if (time !== now) return cause;
    }
  }
  return undefined;
}

/** Milliseconds since 1970; undefined for what never ends, or is not known. */
function timeOf(date: Date | number | null): number | undefined {
  return date instanceof Date ? date.getTime() : undefined;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** The first line of what a library says. */
export function shortReason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split("\n", 1)[0]?.slice(0, 200) ?? "";
}
