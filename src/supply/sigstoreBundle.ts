/**
 * Sigstore bundles, version 0.3 (sigstore/protobuf-specs, `sigstore_bundle.proto`): a signed statement with what is needed
 * to verify it, one artifact each. cosign 3 writes and reads these.
 */
import * as z from "zod";
import type { Descriptor } from "../archive/oci/types.ts";
import { type Artifact, blobOf, makeArtifact } from "./artifact.ts";
import { type Envelope, envelopeJson, readEnvelope } from "./dsse.ts";
import type { VerificationKey } from "./signingKey.ts";

/** Media type of a bundle, and artifact type of its manifest. */
export const bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** On the manifest: what is in it, so that readers need not fetch every bundle. */
const contentAnnotation = "dev.sigstore.bundle.content";
const predicateAnnotation = "dev.sigstore.bundle.predicateType";

/** A bundle, as far as keys verify it. */
export interface Bundle {
  readonly envelope: Envelope;
  /** True when the signer is named by a certificate rather than a key. */
  readonly certified: boolean;
}

/** A bundle of an envelope that was signed with a key. */
export function keyBundle(envelope: Envelope, key: VerificationKey): object {
  return {
    mediaType: bundleMediaType,
    verificationMaterial: {
      publicKey: { hint: Buffer.from(key.fingerprint, "hex").toString("base64") },
      tlogEntries: [],
    },
    dsseEnvelope: envelopeJson(envelope),
  };
}

/** A bundle as an artifact. */
export function bundleArtifact(subject: Descriptor, bundle: object, predicateType: string): Artifact {
  return makeArtifact({
    title: "signed statement",
    artifactType: bundleMediaType,
    subject,
    layers: [blobOf(bundleMediaType, Buffer.from(JSON.stringify(bundle), "utf8"))],
    annotations: { [contentAnnotation]: "dsse-envelope", [predicateAnnotation]: predicateType },
  });
}

const document = z.object({
  mediaType: z
    .string()
    .regex(/^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])$/),
  verificationMaterial: z.object({
    certificate: z.unknown().optional(),
    x509CertificateChain: z.unknown().optional(),
  }),
  dsseEnvelope: z.unknown(),
  // A bundle is of one thing: another reader might take the other one.
  messageSignature: z.undefined().optional(),
});

/** Reads a bundle from JSON; undefined if it is not one, or one without an envelope. */
export function readBundle(json: unknown): Bundle | undefined {
  const parsed = document.safeParse(json);
  if (!parsed.success) return undefined;
  const envelope = readEnvelope(parsed.data.dsseEnvelope);
  if (envelope === undefined) return undefined;
  const { certificate, x509CertificateChain } = parsed.data.verificationMaterial;
  return { envelope, certified: certificate !== undefined || x509CertificateChain !== undefined };
}
