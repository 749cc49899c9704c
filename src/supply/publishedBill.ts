/** The bill of materials of an image in a registry, and who vouches for it. */
import type { Digest } from "../util/digest.ts";
import type { JsonObject } from "../util/json.ts";
import type { ArtifactSource } from "./artifactStore.ts";
import { attestedDocument } from "./attestedDocument.ts";
import { cycloneDxMediaType } from "./cycloneDx.ts";
import { attachedDocument } from "./foundDocuments.ts";
import type { VerificationKey } from "./signingKey.ts";
import type { spdxMediaType } from "./spdx.ts";
import { predicateTypes } from "./statement.ts";

/** What was found among an image's referrers, where anybody who may write to the repository can put something. */
export type PublishedBill =
  /** One of the keys has stated it of this image. */
  | { readonly kind: "attested"; readonly document: JsonObject }
  /** No keys are trusted here: what lies beside the image, whoever put it there. */
  | { readonly kind: "unattested"; readonly document: JsonObject }
  /** Keys are trusted here, and none of them has stated what lies beside the image: it is not used. */
  | { readonly kind: "refused" }
  | { readonly kind: "none" };

/**
 * Finds the bill of materials of an image. Where keys are trusted only what one of them has stated counts.
 *
 * @param keys that are trusted; empty: none are
 * @throws {SpacktainersError} `IDENTITY_MISMATCH` when all that there is describes other images; of the repository
 */
export async function publishedBill(
  source: ArtifactSource,
  image: Digest,
  mediaType: typeof spdxMediaType | typeof cycloneDxMediaType,
  keys: readonly VerificationKey[],
): Promise<PublishedBill> {
  if (keys.length > 0) {
    const predicateType = mediaType === cycloneDxMediaType ? predicateTypes.cyclonedx : predicateTypes.spdx;
    const document = await attestedDocument(source, image, predicateType, keys);
    if (document !== undefined) return { kind: "attested", document };
  }
  const document = await attachedDocument(source, image, mediaType);
  if (document === undefined) return { kind: "none" };
  return keys.length > 0 ? { kind: "refused" } : { kind: "unattested", document };
}
