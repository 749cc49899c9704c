import { parseIndex } from "../../archive/oci/parse.ts";
import { type Descriptor, isIndexType } from "../../archive/oci/types.ts";
import type { Artifact } from "../../supply/artifact.ts";
import type { ArtifactSink, ArtifactSource } from "../../supply/artifactStore.ts";
import { attestedDocument } from "../../supply/attestedDocument.ts";
import { cycloneDxMediaType } from "../../supply/cycloneDx.ts";
import type { BuiltImageDescription } from "../../supply/imageDescription.ts";
import {
  billsOfMaterials,
  certifiedArtifacts,
  type SignatureForm,
  signedArtifacts,
  statementsOf,
} from "../../supply/signImage.ts";
import type { SigningKey } from "../../supply/signingKey.ts";
import { spdxMediaType } from "../../supply/spdx.ts";
import { type InTotoStatement, predicateTypes } from "../../supply/statement.ts";
import { referringManifests } from "../../supply/storedAttestations.ts";
import type { Digest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** Images of an index that are seen to at a time. */
const subjectsAtOnce = 4;

/** What to attach to an image in a repository. */
export interface PublishedRequest {
  /** Tag or digest: an image, or an index of several. */
  readonly reference: string;
  readonly repository: ArtifactSource & ArtifactSink;
  /** Descriptions of the images, where known: without, an image is signed and nothing is stated of it. */
  readonly factsOf: (image: Digest) => BuiltImageDescription | undefined;
  /** Without a key and without a certificate nothing is signed; bills of materials are attached anyway. */
  readonly key: SigningKey | undefined;
  /** Signs with a certificate, see `openKeylessSigning`. */
  readonly certify?: ((statement: InTotoStatement) => Promise<object>) | undefined;
  readonly forms: readonly SignatureForm[];
  /** Claims of the signer's own. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What was attached. */
export interface AttachedArtifact {
  readonly title: string;
  /** The image. */
  readonly subject: Digest;
  /** Of the artifact's manifest. */
  readonly digest: Digest;
  readonly tag: string | undefined;
}

/**
 * Attaches bills of materials to an image in a repository, and signs it and what is known of it. An index is signed, and
 * each image in it. What is there already is left alone; so is what is there for an image that a rebase made again.
 *
 * @returns what was pushed; empty when everything was there
 * @throws {SpacktainersError} `NOT_FOUND`; of the repository
 */
export async function signPublished(request: PublishedRequest): Promise<readonly AttachedArtifact[]> {
  const { reference, repository, emit, signal } = request;
  const stored = await repository.manifest(reference);
  if (stored === undefined)
    throw new SpacktainersError("NOT_FOUND", `there is no image ${reference}`, {
      place: { url: repository.repository },
      hint: "push it first",
    });
  const place = { url: `${repository.repository}@${stored.descriptor.digest}` };
  const children = isIndexType(stored.descriptor.mediaType) ? parseIndex(stored.bytes, place).manifests : [];
  const subjects = [...children, stored.descriptor];
  const attached = await mapConcurrently(subjects, subjectsAtOnce, async (subject) => {
    signal.throwIfAborted();
    const facts = request.factsOf(subject.digest);
    // An index has no contents of its own to state.
    if (facts === undefined && subject.digest === stored.descriptor.digest && children.length === 0)
      emit({
        type: "warning",
        code: "NOTICE",
        message: "what is in the image is not known here, so nothing is stated about it",
      });
    const missing = await missingArtifacts(subject, facts, request);
    // Together, since where the registry does not keep the list of them each change of it takes a while.
    return mapConcurrently(missing, missing.length, async (artifact): Promise<AttachedArtifact> => {
      signal.throwIfAborted();
      await repository.push(artifact);
      return {
        title: artifact.title,
        subject: subject.digest,
        digest: artifact.manifest.descriptor.digest,
        tag: artifact.tag,
      };
    });
  });
  return attached.flat();
}

const noTypes: ReadonlySet<string> = new Set();

/**
 * What a key has stated of an image, by types of predicates and of bills of materials. A rebasing can end in an image that was
 * made from its definition before: whoever made it so knew more, and what was stated then stays.
 */
async function statedBy(
  key: SigningKey,
  image: Digest,
  repository: ArtifactSource,
): Promise<ReadonlySet<string>> {
  const stated = new Set<string>();
  for (const [predicateType, ...others] of [
    [predicateTypes.spdx, spdxMediaType],
    [predicateTypes.cyclonedx, cycloneDxMediaType],
    [predicateTypes.provenance],
  ] as const)
    if ((await attestedDocument(repository, image, predicateType, [key.publicKey])) !== undefined)
      for (const type of [predicateType, ...others]) stated.add(type);
  return stated;
}

async function missingArtifacts(
  subject: Descriptor,
  facts: BuiltImageDescription | undefined,
  { repository, key, certify, forms, annotations }: PublishedRequest,
): Promise<readonly Artifact[]> {
  const isRebased = facts?.rebasedFrom !== undefined;
  const stated = isRebased && key !== undefined ? await statedBy(key, subject.digest, repository) : noTypes;
  const bills: Artifact[] = [];
  for (const bill of facts === undefined ? [] : billsOfMaterials(facts, subject)) {
    const there = await referringManifests(repository, subject.digest, bill.artifactType);
    const [wanted] = bill.manifest.value.layers;
    if (stated.has(bill.artifactType) || (isRebased && key === undefined && there.length > 0)) continue;
    if (!there.some(({ layers }) => layers.some(({ digest }) => digest === wanted?.digest))) bills.push(bill);
  }
  const statements = (facts === undefined ? [] : statementsOf(facts)).filter(
    ({ predicateType }) => !stated.has(predicateType),
  );
  if (certify !== undefined) bills.push(...(await certifiedArtifacts(subject, statements, certify)));
  if (key === undefined) return bills;
  const signed = await signedArtifacts(
    {
      subject,
      repository: repository.repository,
      key,
      annotations,
      statements,
      forms,
    },
    repository,
  );
  return [...bills, ...signed];
}
