/** Signed statements on an image, as `cosign attest` stores them. */
import type { Descriptor } from "../archive/oci/types.ts";
import {
  type Artifact,
  type ArtifactBlob,
  type ArtifactManifest,
  blobOf,
  cosignTag,
  makeArtifact,
} from "./artifact.ts";
import { dsseMediaType, type Envelope, envelopeJson, inTotoPayloadType, signEnvelope } from "./dsse.ts";
import type { SigningKey } from "./signingKey.ts";
import { signatureAnnotation, signatureConfig } from "./simpleSigning.ts";
import type { InTotoStatement } from "./statement.ts";

/** Artifact type of attestations among the referrers. */
export const attestationArtifactType = "application/vnd.dev.cosign.artifact.att.v1+json";
/** On a layer: the type of its statement's predicate. */
export const predicateTypeAnnotation = "predicateType";

/** A statement, signed. */
export function signStatement(statement: InTotoStatement, key: SigningKey): Envelope {
  return signEnvelope(inTotoPayloadType, Buffer.from(JSON.stringify(statement), "utf8"), key);
}

/** A signed statement as a layer of the artifact. */
export function attestationLayer(envelope: Envelope, predicateType: string): ArtifactBlob {
  return blobOf(dsseMediaType, Buffer.from(JSON.stringify(envelopeJson(envelope)), "utf8"), {
    // The signature is in the envelope: readers expect the annotation all the same.
    [signatureAnnotation]: "",
    [predicateTypeAnnotation]: predicateType,
  });
}

/**
 * The artifact with the attestations of an image.
 *
 * @param added new ones
 * @param kept of the artifact that is there: layers that stay
 */
export function attestationArtifact(
  subject: Descriptor,
  added: readonly ArtifactBlob[],
  kept: ArtifactManifest["layers"],
): Artifact {
  const layers = [...kept.map((descriptor) => ({ descriptor })), ...added];
  return makeArtifact({
    title: "attestations",
    artifactType: attestationArtifactType,
    subject,
    config: signatureConfig(layers.map(({ descriptor }) => descriptor)),
    layers,
    tag: cosignTag(subject.digest, "att"),
  });
}
