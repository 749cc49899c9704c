/** What was attached to an image earlier, read from a repository. Everything in it may be a stranger's. */
import type { Descriptor } from "../archive/oci/types.ts";
import { type Digest, parseDigest } from "../util/digest.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { type ArtifactManifest, cosignTag } from "./artifact.ts";
import type { ArtifactSource } from "./artifactStore.ts";
import { attestationArtifactType } from "./attestation.ts";
import { dsseMediaType, type Envelope, largestEnvelope, readEnvelope } from "./dsse.ts";
import { bundleMediaType, readBundle } from "./sigstoreBundle.ts";
import { largestPayload, signatureArtifactType, simpleSigningMediaType } from "./simpleSigning.ts";

/** More artifacts of one type on an image, or layers in one, are not read: nobody signs an image so often. */
const mostArtifacts = 200;

/** A signature's payload with the layer that carries the signature. */
export interface StoredSignature {
  readonly layer: Descriptor;
  readonly bytes: Buffer;
}

/** A signed statement. */
export interface StoredAttestation {
  readonly envelope: Envelope;
  /** Where it was: a layer of the artifact with all attestations, or a bundle of its own. */
  readonly from: "layer" | "bundle";
  readonly descriptor: Descriptor;
  /** The whole bundle, for those who verify certificates. */
  readonly bundle?: JsonObject;
}

/** The manifest of an artifact of cosign's under its tag; undefined when there is none. */
export async function cosignManifest(
  source: ArtifactSource,
  image: Digest,
  ending: "sig" | "att",
): Promise<ArtifactManifest | undefined> {
  const stored = await source.manifest(cosignTag(image, ending));
  return stored === undefined ? undefined : readArtifactManifest(stored.bytes);
}

/** Signatures of an image in the simple signing format: under the tag and among the referrers, each once. */
export async function storedSignatures(
  source: ArtifactSource,
  image: Digest,
): Promise<readonly StoredSignature[]> {
  const layers = await layersOf(source, image, {
    ending: "sig",
    artifactType: signatureArtifactType,
    mediaType: simpleSigningMediaType,
  });
  const found: StoredSignature[] = [];
  for (const layer of layers) found.push({ layer, bytes: await source.blob(layer, largestPayload) });
  return found;
}

/** Signed statements on an image: attestations and bundles. Those that cannot be read are left out. */
export async function storedAttestations(
  source: ArtifactSource,
  image: Digest,
): Promise<readonly StoredAttestation[]> {
  const found: StoredAttestation[] = [];
  for (const descriptor of await layersOf(source, image, {
    ending: "att",
    artifactType: attestationArtifactType,
    mediaType: dsseMediaType,
  })) {
    const envelope = readEnvelope(parseJson(await source.blob(descriptor, largestEnvelope)));
    if (envelope !== undefined) found.push({ envelope, from: "layer", descriptor });
  }
  for (const manifest of await referringManifests(source, image, bundleMediaType)) {
    const [descriptor] = manifest.layers;
    if (descriptor === undefined) continue;
    const json = parseJson(await source.blob(descriptor, largestEnvelope));
    const bundle = readBundle(json);
    if (bundle !== undefined && isJsonObject(json))
      found.push({ envelope: bundle.envelope, from: "bundle", descriptor, bundle: json });
  }
  return found;
}

/** The manifests of an artifact type that refer to an image. */
export async function referringManifests(
  source: ArtifactSource,
  image: Digest,
  artifactType: string,
): Promise<readonly ArtifactManifest[]> {
  const found: ArtifactManifest[] = [];
  const descriptors = await source.referrers(image, artifactType);
  for (const { digest } of descriptors.slice(0, mostArtifacts)) {
    const stored = await source.manifest(digest);
    const manifest = stored === undefined ? undefined : readArtifactManifest(stored.bytes);
    // Lists of referrers are not signed: what counts is what the manifest says.
    if (manifest?.subject?.digest === image) found.push(manifest);
  }
  return found;
}

/** Which artifacts are read. */
interface AttachedKind {
  readonly ending: "sig" | "att";
  readonly artifactType: string;
  readonly mediaType: string;
}

async function layersOf(
  source: ArtifactSource,
  image: Digest,
  { ending, artifactType, mediaType }: AttachedKind,
): Promise<readonly Descriptor[]> {
  const tagged = await cosignManifest(source, image, ending);
  const referring = await referringManifests(source, image, artifactType);
  const layers = new Map<string, Descriptor>();
  for (const manifest of [...(tagged === undefined ? [] : [tagged]), ...referring])
    for (const layer of manifest.layers.slice(0, mostArtifacts))
      if (layer.mediaType === mediaType)
        layers.set(JSON.stringify([layer.digest, layer.annotations ?? {}]), layer);
  return [...layers.values()].slice(0, mostArtifacts);
}

/** Reads a manifest of an artifact; undefined when it is malformed. */
export function readArtifactManifest(bytes: Uint8Array): ArtifactManifest | undefined {
  const json = parseJson(bytes);
  if (!isJsonObject(json) || !Array.isArray(json.layers)) return undefined;
  const config = descriptorOf(json.config);
  const layers = json.layers.slice(0, 10_000).map(descriptorOf);
  if (config === undefined || layers.some((layer) => layer === undefined)) return undefined;
  const subject = descriptorOf(json.subject);
  return {
    schemaVersion: 2,
    mediaType: typeof json.mediaType === "string" ? json.mediaType : "",
    ...(typeof json.artifactType === "string" ? { artifactType: json.artifactType } : {}),
    config,
    layers: layers.flatMap((layer) => layer ?? []),
    ...(subject === undefined ? {} : { subject }),
  };
}

function descriptorOf(value: unknown): Descriptor | undefined {
  if (!isJsonObject(value) || typeof value.mediaType !== "string" || typeof value.digest !== "string")
    return undefined;
  const digest = parseDigest(value.digest);
  const { mediaType, size } = value;
  if (digest === undefined || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    return undefined;
  const annotations = Object.entries(isJsonObject(value.annotations) ? value.annotations : {}).flatMap(
    ([key, text]) => (typeof text === "string" ? [[key, text] as const] : []),
  );
  return {
    mediaType,
    digest,
    size,
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

/** Undefined when it is not JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
