/** What is to be attached to an image: documents, signatures, attestations, as far as they are not there yet. */
import type { Descriptor } from "../archive/oci/types.ts";
import { type Artifact, documentArtifact } from "./artifact.ts";
import type { ArtifactSource } from "./artifactStore.ts";
import {
  attestationArtifact,
  attestationLayer,
  predicateTypeAnnotation,
  signStatement,
} from "./attestation.ts";
import { cycloneDxDocument, cycloneDxMediaType } from "./cycloneDx.ts";
import { dsseMediaType, type Envelope, envelopeSigner } from "./dsse.ts";
import type { BuiltImageDescription, ImageDescription } from "./imageDescription.ts";
import { provenanceStatement } from "./provenance.ts";
import type { SigningKey } from "./signingKey.ts";
import { bundleArtifact, keyBundle } from "./sigstoreBundle.ts";
import { readSimpleSigning, signatureArtifact, signClaim, signerOf } from "./simpleSigning.ts";
import { spdxDocument, spdxMediaType } from "./spdx.ts";
import { type InTotoStatement, predicateTypes, readStatement, statement } from "./statement.ts";
import {
  cosignManifest,
  type StoredAttestation,
  storedAttestations,
  storedSignatures,
} from "./storedAttestations.ts";

/** How signatures are written: for cosign of all versions (tags), for cosign 3 (bundles). */
export type SignatureForm = "tags" | "bundles";

/** What to sign. */
export interface SignRequest {
  /** The image, or the index of several. */
  readonly subject: Descriptor;
  /** Where it is published, such as `ghcr.io/my-org/hello`: what the signature is for. */
  readonly repository: string;
  readonly key: SigningKey;
  /** Claims of one's own in the signature. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What is stated of the image besides. */
  readonly statements: readonly InTotoStatement[];
  readonly forms: readonly SignatureForm[];
}

/** Bills of materials in both formats, unsigned, for readers that know no signatures. */
export function billsOfMaterials(facts: ImageDescription, subject: Descriptor): readonly Artifact[] {
  return [
    documentArtifact("bill of materials (SPDX)", spdxMediaType, spdxDocument(facts), subject),
    documentArtifact("bill of materials (CycloneDX)", cycloneDxMediaType, cycloneDxDocument(facts), subject),
  ];
}

/** What the facts of an image let one state: both bills of materials, and provenance where the builder is known. */
export function statementsOf(facts: BuiltImageDescription): readonly InTotoStatement[] {
  const provenance = provenanceStatement(facts);
  return [
    statement(facts.manifest.digest, facts.name, predicateTypes.spdx, spdxDocument(facts)),
    statement(facts.manifest.digest, facts.name, predicateTypes.cyclonedx, cycloneDxDocument(facts)),
    ...(provenance === undefined ? [] : [provenance]),
  ];
}

/**
 * The artifacts that sign an image and state what is known of it. Signatures of others stay; what this key has signed
 * already in the same words is not signed again, and what it stated otherwise is replaced.
 *
 * @returns artifacts to push; empty when everything is there
 */
export async function signedArtifacts(
  request: SignRequest,
  source: ArtifactSource,
): Promise<readonly Artifact[]> {
  const { subject, key, statements, forms } = request;
  const artifacts: Artifact[] = [];
  const there = await storedAttestations(source, subject.digest);
  if (forms.includes("tags")) {
    artifacts.push(...(await newSignature(request, source)));
    artifacts.push(...(await newAttestations(request, source, there)));
  }
  if (forms.includes("bundles")) {
    const claim = statement(subject.digest, undefined, predicateTypes.signature, {});
    for (const each of [claim, ...statements]) {
      if (isStated(there, each, "bundle", key)) continue;
      const bundle = keyBundle(signStatement(each, key), key.publicKey);
      artifacts.push(bundleArtifact(subject, bundle, each.predicateType));
    }
  }
  return artifacts;
}

/**
 * The artifacts that sign an image, and state what is known of it, with a certificate. Always new ones: only a verifier
 * knows whether those that are there hold.
 */
export async function certifiedArtifacts(
  subject: Descriptor,
  statements: readonly InTotoStatement[],
  certify: (statement: InTotoStatement) => Promise<object>,
): Promise<readonly Artifact[]> {
  const claim = statement(subject.digest, undefined, predicateTypes.signature, {});
  const artifacts: Artifact[] = [];
  for (const each of [claim, ...statements])
    artifacts.push(bundleArtifact(subject, await certify(each), each.predicateType));
  return artifacts;
}

async function newSignature(request: SignRequest, source: ArtifactSource): Promise<readonly Artifact[]> {
  const { subject, repository, key, annotations } = request;
  const claim = { repository, image: subject.digest, annotations };
  const same = JSON.stringify(claim);
  for (const { layer, bytes } of await storedSignatures(source, subject.digest))
    if (
      signerOf(layer, bytes, [key.publicKey]) !== undefined &&
      JSON.stringify(readSimpleSigning(bytes)) === same
    )
      return [];
  const before = await cosignManifest(source, subject.digest, "sig");
  return [signatureArtifact(subject, signClaim(claim, key), before)];
}

async function newAttestations(
  request: SignRequest,
  source: ArtifactSource,
  there: readonly StoredAttestation[],
): Promise<readonly Artifact[]> {
  const { subject, key, statements } = request;
  const missing = statements.filter((each) => !isStated(there, each, "layer", key));
  if (missing.length === 0) return [];
  const before = await cosignManifest(source, subject.digest, "att");
  const replaced = new Set(missing.map(({ predicateType }) => predicateType));
  const ours = new Set(
    there.filter(({ envelope }) => isSignedBy(envelope, key)).map(({ descriptor }) => descriptor.digest),
  );
  const kept = (before?.layers ?? []).filter(
    ({ digest, mediaType, annotations }) =>
      mediaType === dsseMediaType &&
      !(ours.has(digest) && replaced.has(annotations?.[predicateTypeAnnotation] ?? "")),
  );
  const added = missing.map((each) => attestationLayer(signStatement(each, key), each.predicateType));
  return [attestationArtifact(subject, added, kept)];
}

/** Whether a key has stated the same already. */
function isStated(
  there: readonly StoredAttestation[],
  wanted: InTotoStatement,
  from: StoredAttestation["from"],
  key: SigningKey,
): boolean {
  const { images, predicateType, predicate } = readStatement(Buffer.from(JSON.stringify(wanted))) ?? {};
  const text = JSON.stringify({ images, predicateType, predicate });
  return there.some((one) => {
    if (one.from !== from || !isSignedBy(one.envelope, key)) return false;
    const read = readStatement(one.envelope.payload);
    return read !== undefined && JSON.stringify(read) === text;
  });
}

function isSignedBy(envelope: Envelope, key: SigningKey): boolean {
  return envelopeSigner(envelope, [key.publicKey]) !== undefined;
}
