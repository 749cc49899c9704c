/**
 * Signatures as cosign has always written them: a payload in the "simple signing" format, signed, in an artifact under a
 * tag made of the image's digest (cosign, `specs/SIGNATURE_SPEC.md`).
 */
import * as z from "zod";
import type { Descriptor } from "../archive/oci/types.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { type Digest, digestOf, parseDigest } from "../util/digest.ts";
import {
  type Artifact,
  type ArtifactBlob,
  type ArtifactManifest,
  blobOf,
  cosignTag,
  makeArtifact,
} from "./artifact.ts";
import type { SigningKey, VerificationKey } from "./signingKey.ts";

/** Media type of the payload. */
export const simpleSigningMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Artifact type of signatures among the referrers. */
export const signatureArtifactType = "application/vnd.dev.cosign.artifact.sig.v1+json";
/** On a layer: the signature over its bytes, base64. */
export const signatureAnnotation = "dev.cosignproject.cosign/signature";

/** Most bytes a payload may have. */
export const largestPayload = 1024 * 1024;

const payload = z.object({
  critical: z.object({
    identity: z.object({ "docker-reference": z.string().max(4096) }),
    image: z.object({ "docker-manifest-digest": z.string().max(256) }),
    type: z.string().max(256),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});

/** What a signature says. */
export interface SignedClaim {
  /** The repository that was signed for, such as `ghcr.io/my-org/hello`. */
  readonly repository: string;
  readonly image: Digest;
  /** Claims of the signer's own. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The payload that is signed: the same claim gives the same bytes. */
export function simpleSigningPayload({ repository, image, annotations }: SignedClaim): Buffer {
  const optional = Object.keys(annotations).length === 0 ? null : annotations;
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": repository },
        image: { "docker-manifest-digest": image },
        type: "cosign container image signature",
      },
      optional,
    }),
    "utf8",
  );
}

/** Reads a payload; undefined if it is not one, or one of another type. */
export function readSimpleSigning(bytes: Uint8Array): SignedClaim | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const parsed = payload.safeParse(json);
  if (!parsed.success) return undefined;
  const { identity, image, type } = parsed.data.critical;
  const digest = parseDigest(image["docker-manifest-digest"]);
  if (digest === undefined || type !== "cosign container image signature") return undefined;
  const annotations = Object.entries(parsed.data.optional ?? {}).flatMap(([key, value]) =>
    typeof value === "string" ? [[key, value] as const] : [],
  );
  return {
    repository: identity["docker-reference"],
    image: digest,
    annotations: Object.fromEntries(annotations),
  };
}

/** A signed payload: a layer of the artifact. */
export function signClaim(claim: SignedClaim, key: SigningKey): ArtifactBlob {
  const bytes = simpleSigningPayload(claim);
  return blobOf(simpleSigningMediaType, bytes, { [signatureAnnotation]: key.sign(bytes).toString("base64") });
}

/**
 * The artifact with the signatures of an image.
 *
 * @param before the artifact that is there: its signatures are kept
 */
export function signatureArtifact(
  subject: Descriptor,
  signature: ArtifactBlob,
  before: ArtifactManifest | undefined,
): Artifact {
  const kept = (before?.layers ?? []).filter(({ mediaType }) => mediaType === simpleSigningMediaType);
  const layers = [...kept.map((descriptor) => ({ descriptor })), signature];
  return makeArtifact({
    title: "signature",
    artifactType: signatureArtifactType,
    subject,
    config: signatureConfig(layers.map(({ descriptor }) => descriptor)),
    layers,
    tag: cosignTag(subject.digest, "sig"),
  });
}

/** Readers take the artifact for an image: it has the configuration of one. */
export function signatureConfig(layers: readonly Descriptor[]): ArtifactBlob {
  const config = {
    architecture: "",
    created: "0001-01-01T00:00:00Z",
    os: "",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
  };
  return blobOf(mediaTypes.config, Buffer.from(JSON.stringify(config), "utf8"));
}

/** The key whose signature a layer carries over these bytes; undefined if it is not one of them. */
export function signerOf(
  layer: Descriptor,
  bytes: Uint8Array,
  keys: readonly VerificationKey[],
): VerificationKey | undefined {
  const text = layer.annotations?.[signatureAnnotation];
  if (text === undefined || text.length > 16_384 || digestOf(bytes) !== layer.digest) return undefined;
  const signature = Buffer.from(text, "base64");
  return keys.find((key) => key.verify(bytes, signature));
}
