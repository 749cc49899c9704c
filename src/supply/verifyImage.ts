/** Holding an image in a repository against what is attached to it and the keys that one trusts. */
import { parseImageManifest, parseIndex } from "../archive/oci/parse.ts";
import { type Descriptor, type ImageManifest, isIndexType } from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import type { ArtifactSource, StoredManifest } from "./artifactStore.ts";
import { describedImage } from "./describedImage.ts";
import { envelopeSigner, inTotoPayloadType } from "./dsse.ts";
import { type FoundDocument, foundDocuments } from "./foundDocuments.ts";
import type { VerificationKey } from "./signingKey.ts";
import { readSimpleSigning, signerOf } from "./simpleSigning.ts";
import { predicateTypes, readStatement } from "./statement.ts";
import {
  parseJson,
  type StoredAttestation,
  storedAttestations,
  storedSignatures,
} from "./storedAttestations.ts";

/** Who signed. */
export type ImageSigner =
  | { readonly kind: "key"; readonly fingerprint: string }
  | { readonly kind: "certificate"; readonly identity: string; readonly issuer: string };

/** What is asked of an image. */
export interface VerificationPolicy {
  /** Keys any of which may have signed. */
  readonly keys: readonly VerificationKey[];
  /**
   * Verifies a bundle with a certificate; undefined when it does not hold or is not of somebody who may sign. Absent:
   * certificates are not trusted.
   */
  readonly verifyCertified?: ((bundle: JsonObject) => ImageSigner | undefined) | undefined;
  /** Repositories the signature may be for; default: the one the image is in. Empty: any. */
  readonly repositories?: readonly string[];
  /** Types of predicates that have to be attested. */
  readonly attestations: readonly string[];
}

/** A signature that holds. */
export interface VerifiedSignature {
  readonly signer: ImageSigner;
  /** Repository it is for; bundles do not say. */
  readonly repository: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A signed statement that holds and is on this image. */
export interface VerifiedAttestation {
  readonly signer: ImageSigner;
  readonly predicateType: string;
  readonly predicate: unknown;
}

/** What was found. */
export interface VerificationReport {
  readonly repository: string;
  readonly image: Digest;
  /** Undefined for an index. */
  readonly platform: string | undefined;
  readonly signatures: readonly VerifiedSignature[];
  readonly attestations: readonly VerifiedAttestation[];
  readonly documents: readonly FoundDocument[];
  /** Layers and configuration that are there, of how many. */
  readonly blobs: { readonly present: number; readonly total: number };
  /** Of an index: its images. */
  readonly images: readonly VerificationReport[];
  /** Empty when the image is as it should be. */
  readonly problems: readonly SpacktainersError[];
}

/**
 * Verifies an image from its tag or digest down: signatures by trusted keys for this image and this repository, statements
 * on this image, bills of materials that describe it, layers that are there. Of an index, its signature covers the images
 * in it by digest; statements are looked for on each of them.
 *
 * @returns everything found; the image can be trusted when there are no problems
 * @throws {SpacktainersError} `NOT_FOUND`; of the source when it cannot be read
 */
export async function verifyImage(
  source: ArtifactSource,
  reference: string,
  policy: VerificationPolicy,
): Promise<VerificationReport> {
  const stored = await source.manifest(reference);
  if (stored === undefined)
    throw new SpacktainersError("NOT_FOUND", `there is no image ${reference}`, {
      place: { url: source.repository },
    });
  return verifyStored(source, stored, policy, undefined);
}

async function verifyStored(
  source: ArtifactSource,
  stored: StoredManifest,
  policy: VerificationPolicy,
  covering: Descriptor | undefined,
): Promise<VerificationReport> {
  const image = stored.descriptor.digest;
  const place: Place = { url: `${source.repository}@${image}` };
  const isIndex = isIndexType(stored.descriptor.mediaType);
  const signatures = await verifiedSignatures(source, image, policy, place);
  const statements = await storedAttestations(source, image);
  const attestations = verifiedAttestations(statements, image, policy, place);
  const bundled = attestations.found
    .filter(({ predicateType }) => predicateType === predicateTypes.signature)
    .map(({ signer }): VerifiedSignature => ({ signer, repository: undefined, annotations: {} }));
  const found = [...signatures.found, ...bundled];
  const problems: SpacktainersError[] = [];
  // Whoever signed the index signed the digests of its images.
  if (found.length === 0 && covering === undefined)
    problems.push(worst([...signatures.refused, ...attestations.refused], place));
  const images: VerificationReport[] = [];
  let blobs = { present: 0, total: 0 };
  let documents: readonly FoundDocument[] = [];
  if (isIndex) {
    const trusted = found.length > 0 || covering !== undefined ? stored.descriptor : undefined;
    for (const child of parseIndex(stored.bytes, place).manifests) {
      const manifest = await source.manifest(child.digest);
      if (manifest === undefined) problems.push(missing("an image of the index", child.digest, place));
      else images.push(await verifyStored(source, manifest, policy, trusted));
    }
    problems.push(...images.flatMap((one) => one.problems));
  } else {
    const stated = attestations.found.filter(
      ({ predicateType }) => predicateType !== predicateTypes.signature,
    );
    problems.push(...attestations.refused.filter(({ code }) => code === "IDENTITY_MISMATCH"));
    for (const wanted of policy.attestations)
      if (!stated.some(({ predicateType }) => predicateType === wanted))
        problems.push(
          worst(
            attestations.refused,
            place,
            new SpacktainersError("SIGNATURE_MISSING", `no trusted attestation of type ${wanted}`, { place }),
          ),
        );
    const listed = await foundDocuments(source, image, stated, place);
    documents = listed.documents;
    problems.push(...listed.problems);
    const present = await presentBlobs(source, parseImageManifest(stored.bytes, place), place);
    blobs = { present: present.present, total: present.total };
    problems.push(...present.problems);
  }
  return {
    repository: source.repository,
    image,
    platform: isIndex ? undefined : await platformOf(source, stored, place),
    signatures: found,
    attestations: attestations.found.filter(
      ({ predicateType }) => predicateType !== predicateTypes.signature,
    ),
    documents,
    blobs,
    images,
    problems,
  };
}

/** Signatures that hold, and why the others do not. */
async function verifiedSignatures(
  source: ArtifactSource,
  image: Digest,
  policy: VerificationPolicy,
  place: Place,
): Promise<{ readonly found: readonly VerifiedSignature[]; readonly refused: readonly SpacktainersError[] }> {
  const found: VerifiedSignature[] = [];
  const refused: SpacktainersError[] = [];
  const allowed = policy.repositories ?? [source.repository];
  for (const { layer, bytes } of await storedSignatures(source, image)) {
    const key = signerOf(layer, bytes, policy.keys);
    if (key === undefined) {
      refused.push(unknown(place));
      continue;
    }
    const claim = readSimpleSigning(bytes);
    if (claim === undefined || claim.image !== image)
      refused.push(
        new SpacktainersError("IDENTITY_MISMATCH", "a trusted key's signature is for another image", {
          place,
          hint: "somebody attached the signature of one image to another; do not use the image before you know why",
        }),
      );
    else if (
      allowed.length > 0 &&
      !allowed.some((name) => canonicalName(name) === canonicalName(claim.repository))
    )
      refused.push(
        new SpacktainersError("IDENTITY_MISMATCH", `the signature is for ${claim.repository}`, {
          place,
          hint: "if the image was copied from there on purpose, name that repository with --repository",
        }),
      );
    else {
      const signer: ImageSigner = { kind: "key", fingerprint: key.fingerprint };
      found.push({ signer, repository: claim.repository, annotations: claim.annotations });
    }
  }
  return { found, refused };
}

/** Statements that hold and are on this image, and why the others do not. */
function verifiedAttestations(
  stored: readonly StoredAttestation[],
  image: Digest,
  policy: VerificationPolicy,
  place: Place,
): { readonly found: readonly VerifiedAttestation[]; readonly refused: readonly SpacktainersError[] } {
  const found: VerifiedAttestation[] = [];
  const refused: SpacktainersError[] = [];
  for (const { envelope, bundle } of stored) {
    const key = envelopeSigner(envelope, policy.keys);
    const signer: ImageSigner | undefined =
      key === undefined
        ? bundle && policy.verifyCertified?.(bundle)
        : { kind: "key", fingerprint: key.fingerprint };
    if (signer === undefined) {
      refused.push(unknown(place));
      continue;
    }
    const read = envelope.payloadType === inTotoPayloadType ? readStatement(envelope.payload) : undefined;
    if (read === undefined || !read.images.includes(image)) {
      refused.push(
        new SpacktainersError("IDENTITY_MISMATCH", "a trusted key's statement is on another image", {
          place,
        }),
      );
      continue;
    }
    const { predicateType, predicate } = read;
    const described = describedImage(predicateType, predicate);
    if (described !== undefined && described !== image) {
      refused.push(
        new SpacktainersError("IDENTITY_MISMATCH", "an attested bill of materials describes another image", {
          place,
        }),
      );
      continue;
    }
    found.push({ signer, predicateType, predicate });
  }
  return { found, refused };
}

/** Whether everything that the manifest names is there. */
async function presentBlobs(
  source: ArtifactSource,
  manifest: ImageManifest,
  place: Place,
): Promise<{
  readonly present: number;
  readonly total: number;
  readonly problems: readonly SpacktainersError[];
}> {
  const all = new Map([manifest.config, ...manifest.layers].map((one) => [one.digest, one]));
  const problems: SpacktainersError[] = [];
  for (const blob of all.values())
    if (!(await source.hasBlob(blob))) problems.push(missing("a blob of the image", blob.digest, place));
  return { present: all.size - problems.length, total: all.size, problems };
}

async function platformOf(
  source: ArtifactSource,
  stored: StoredManifest,
  place: Place,
): Promise<string | undefined> {
  const { config } = parseImageManifest(stored.bytes, place);
  if (!(await source.hasBlob(config))) return undefined;
  const json = parseJson(await source.blob(config, 16 << 20));
  if (!isJsonObject(json)) return undefined;
  const parts = [json.os, json.architecture, json.variant].filter((part) => typeof part === "string");
  return parts.length < 2 ? undefined : parts.join("/");
}

/** Docker Hub has several names: cosign signs for `index.docker.io`. */
function canonicalName(repository: string): string {
  return repository.replace(/^(?:index\.docker\.io|registry-1\.docker\.io)\//, "docker.io/");
}

/** What to tell when nothing holds: a trusted key's signature in the wrong place says more than a stranger's. */
function worst(
  refused: readonly SpacktainersError[],
  place: Place,
  otherwise: SpacktainersError = new SpacktainersError("SIGNATURE_MISSING", "the image is not signed", {
    place,
    hint: "sign it with: spacktainers sign IMAGE --key cosign.key",
  }),
): SpacktainersError {
  return refused.find(({ code }) => code === "IDENTITY_MISMATCH") ?? refused[0] ?? otherwise;
}

function unknown(place: Place): SpacktainersError {
  return new SpacktainersError("KEY_UNKNOWN", "no signature of the image is by a key that is trusted here", {
    place,
    hint: "if you trust the signer, name the public key with --key",
  });
}

function missing(what: string, digest: Digest, place: Place): SpacktainersError {
  return new SpacktainersError("NOT_FOUND", `${what} is not in the repository: ${digest}`, { place });
}
