/** What is attached to a published image, and whether it holds. */
import type { SupplyState } from "../../catalogue/facts.ts";
import type { RegistryImage } from "../../image/openRegistryImage.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import type { ArtifactSource } from "../../supply/artifactStore.ts";
import { inTotoPayloadType } from "../../supply/dsse.ts";
import { type FoundDocument, foundDocuments } from "../../supply/foundDocuments.ts";
import type { VerificationKey } from "../../supply/signingKey.ts";
import { predicateTypes, readStatement } from "../../supply/statement.ts";
import { storedAttestations, storedSignatures } from "../../supply/storedAttestations.ts";
import { type ImageSigner, type VerificationReport, verifyImage } from "../../supply/verifyImage.ts";
import { isJsonObject, type Json } from "../../util/json.ts";

/** Of an image that is in no registry. */
export const unpublished: SupplyState = {
  signature: "unpublished",
  signers: [],
  documents: [],
  provenance: "none",
  builder: undefined,
  problems: [],
};

/**
 * Reads what is attached to an image. With keys it is verified; without, it is only said what there is.
 * @throws {SpacktainersError} of the registry
 */
export async function supplyState(
  image: RegistryImage,
  keys: readonly VerificationKey[],
): Promise<SupplyState> {
  const source = artifactRepository(image.repository);
  const { digest } = image.manifest.descriptor;
  const place = { url: image.reference ?? "" };
  const signatures = await storedSignatures(source, digest);
  const statements = (await storedAttestations(source, digest)).flatMap(({ envelope }) =>
    envelope.payloadType === inTotoPayloadType ? (readStatement(envelope.payload) ?? []) : [],
  );
  const own = statements.filter(({ images }) => images.includes(digest));
  const isSigned =
    signatures.length > 0 || own.some(({ predicateType }) => predicateType === predicateTypes.signature);
  const report = keys.length === 0 ? undefined : await verify(source, image, keys);
  const trusted = report?.attestations ?? [];
  const stated = trusted.find(({ predicateType }) => predicateType === predicateTypes.provenance);
  const said = stated ?? own.find(({ predicateType }) => predicateType === predicateTypes.provenance);
  const documents = report?.documents ?? (await foundDocuments(source, digest, [], place)).documents;
  const signers = [...new Set((report?.signatures ?? []).map(({ signer }) => signerText(signer)))].sort();
  const signature =
    signers.length > 0 ? "verified" : !isSigned ? "none" : report === undefined ? "unverified" : "refused";
  return {
    signature,
    signers,
    documents: documents.map(documentState).sort((a, b) => (a.format < b.format ? -1 : 1)),
    provenance: stated !== undefined ? "verified" : said === undefined ? "none" : "unverified",
    builder: builderOf(said?.predicate),
    // That an image is not signed is said already.
    problems: signature === "none" ? [] : (report?.problems ?? []).map(({ message }) => message),
  };
}

/** Whether the image is signed, or the index that its tag stands for. That its layers are there is a matter of those who pull. */
async function verify(
  source: ArtifactSource,
  image: RegistryImage,
  keys: readonly VerificationKey[],
): Promise<VerificationReport> {
  const present: ArtifactSource = { ...source, hasBlob: () => Promise.resolve(true) };
  const policy = { keys, attestations: [] };
  const { digest } = image.manifest.descriptor;
  const own = await verifyImage(present, digest, policy);
  if (own.signatures.length > 0 || image.root.digest === digest) return own;
  const whole = await verifyImage(present, image.root.digest, policy);
  if (whole.signatures.length === 0) return own;
  const inside = whole.images.find((one) => one.image === digest);
  return { ...(inside ?? own), signatures: whole.signatures };
}

function documentState({ mediaType, attested }: FoundDocument): SupplyState["documents"][number] {
  return { format: mediaType.includes("spdx") ? "SPDX" : "CycloneDX", attested };
}

function signerText(signer: ImageSigner): string {
  return signer.kind === "key" ? signer.fingerprint : `${signer.identity} (${signer.issuer})`;
}

function builderOf(predicate: unknown): string | undefined {
  const inside = (value: unknown, key: string): Json | undefined =>
    isJsonObject(value) ? value[key] : undefined;
  const id = inside(inside(inside(predicate, "runDetails"), "builder"), "id");
  return typeof id === "string" ? id.slice(0, 300) : undefined;
}
