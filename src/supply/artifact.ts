/** What is attached to an image in a registry: a manifest of its own that names the image as its subject. */
import type { Annotations, Descriptor } from "../archive/oci/types.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { sortedAnnotations } from "../image/assembleImage.ts";
import { type EncodedDocument, encode } from "../image/encodedDocument.ts";
import { type Digest, digestOf, hexOfDigest } from "../util/digest.ts";

/** A manifest with a subject (OCI image specification 1.1, "Guidelines for Artifact Usage"). */
export interface ArtifactManifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** A blob that fits into memory. */
export interface ArtifactBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/**
 * An artifact ready to be pushed: every blob first, then the manifest, by its tag where it has one, else by its digest.
 * Where the registry has no referrers API, whoever pushes adds it to the index under `sha256-<hex of the subject>`.
 */
export interface Artifact {
  /** What it is, for people. */
  readonly title: string;
  readonly artifactType: string;
  /** The image it belongs to. */
  readonly subject: Descriptor;
  readonly manifest: EncodedDocument<ArtifactManifest>;
  /** The configuration, then the layers; each once. */
  readonly blobs: readonly ArtifactBlob[];
  /** Under which readers look for it that do not know referrers. */
  readonly tag?: string;
}

/** The configuration of an artifact that has none (OCI image specification 1.1, "Guidance for an Empty Descriptor"). */
export const emptyConfig: ArtifactBlob = blobOf("application/vnd.oci.empty.v1+json", Buffer.from("{}"));

/** A blob with its descriptor. */
export function blobOf(mediaType: string, bytes: Buffer, annotations?: Annotations): ArtifactBlob {
  return {
    bytes,
    descriptor: {
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
      ...(annotations === undefined ? {} : { annotations: sortedAnnotations(annotations) }),
    },
  };
}

/** A blob that is in the repository already. */
export interface PresentBlob {
  readonly descriptor: Descriptor;
  readonly bytes?: undefined;
}

/** The parts of {@link makeArtifact}. */
export interface ArtifactParts {
  readonly title: string;
  readonly artifactType: string;
  readonly subject: Descriptor;
  /** Default: {@link emptyConfig}. */
  readonly config?: ArtifactBlob;
  readonly layers: readonly (ArtifactBlob | PresentBlob)[];
  readonly annotations?: Annotations;
  readonly tag?: string;
}

/** Puts an artifact together. Layers without bytes are there already. Pure: the same parts give the same bytes. */
export function makeArtifact(parts: ArtifactParts): Artifact {
  const { title, artifactType, layers, annotations, tag } = parts;
  const config = parts.config ?? emptyConfig;
  const { mediaType, digest, size } = parts.subject;
  const subject = { mediaType, digest, size };
  const manifest: ArtifactManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    subject,
    ...(annotations === undefined ? {} : { annotations: sortedAnnotations(annotations) }),
  };
  const blobs = new Map<Digest, ArtifactBlob>();
  for (const part of [config, ...layers])
    if (part.bytes !== undefined) blobs.set(part.descriptor.digest, part);
  return {
    title,
    artifactType,
    subject,
    manifest: encode(manifest, mediaTypes.manifest),
    blobs: [...blobs.values()],
    ...(tag === undefined ? {} : { tag }),
  };
}

/** The tag under which cosign looks for what belongs to an image: `sha256-<hex>.sig`, `.att`. */
export function cosignTag(image: Digest, ending: "sig" | "att"): string {
  return `sha256-${hexOfDigest(image)}.${ending}`;
}

/** A bill of materials as an artifact of its own. */
export function documentArtifact(
  title: string,
  mediaType: string,
  document: object,
  subject: Descriptor,
): Artifact {
  const bytes = Buffer.from(`${JSON.stringify(document)}\n`, "utf8");
  return makeArtifact({ title, artifactType: mediaType, subject, layers: [blobOf(mediaType, bytes)] });
}
