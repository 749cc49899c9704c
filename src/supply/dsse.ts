/** DSSE envelopes (secure-systems-lab/dsse, protocol and envelope): a payload, its type, and signatures over both. */
import * as z from "zod";
import type { SigningKey, VerificationKey } from "./signingKey.ts";

/** Media type of an envelope. */
export const dsseMediaType = "application/vnd.dsse.envelope.v1+json";
/** Type of payloads that are in-toto statements. */
export const inTotoPayloadType = "application/vnd.in-toto+json";

/** Most bytes an envelope may have: bills of materials are in some. */
export const largestEnvelope = 64 << 20;

const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/);
const envelope = z.object({
  payloadType: z.string().max(256),
  payload: base64,
  signatures: z
    .array(z.object({ keyid: z.string().max(1024).nullish(), sig: base64.max(16_384) }))
    .min(1)
    .max(100),
});

/** An envelope, decoded. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly { readonly keyId: string; readonly signature: Buffer }[];
}

/** The bytes that are signed: DSSE's pre-authentication encoding. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, "utf8");
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ]);
}

/** Signs a payload. */
export function signEnvelope(payloadType: string, payload: Buffer, key: SigningKey): Envelope {
  const signature = key.sign(preAuthenticationEncoding(payloadType, payload));
  return { payloadType, payload, signatures: [{ keyId: "", signature }] };
}

/** The envelope as JSON. Without a key identifier, as cosign writes it: keys are known by what they verify. */
export function envelopeJson({ payloadType, payload, signatures }: Envelope): object {
  return {
    payloadType,
    payload: payload.toString("base64"),
    signatures: signatures.map(({ keyId, signature }) => ({
      keyid: keyId,
      sig: signature.toString("base64"),
    })),
  };
}

/** Reads an envelope from JSON; undefined if it is not one. */
export function readEnvelope(json: unknown): Envelope | undefined {
  const parsed = envelope.safeParse(json);
  if (!parsed.success) return undefined;
  return {
    payloadType: parsed.data.payloadType,
    payload: Buffer.from(parsed.data.payload, "base64"),
    signatures: parsed.data.signatures.map(({ keyid, sig }) => ({
      keyId: keyid ?? "",
      signature: Buffer.from(sig, "base64"),
    })),
  };
}

/** The key that signed an envelope; undefined if it is not one of them. */
export function envelopeSigner(
  { payloadType, payload, signatures }: Envelope,
  keys: readonly VerificationKey[],
): VerificationKey | undefined {
  const signed = preAuthenticationEncoding(payloadType, payload);
  return keys.find((key) => signatures.some(({ signature }) => key.verify(signed, signature)));
}
