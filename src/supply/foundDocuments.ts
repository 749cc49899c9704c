/** Bills of materials that are attached to an image as they are, not signed. */
import { type Digest, digestOf } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import type { ArtifactSource } from "./artifactStore.ts";
import { cycloneDxMediaType } from "./cycloneDx.ts";
import { describedImage } from "./describedImage.ts";
import { largestEnvelope } from "./dsse.ts";
import { spdxMediaType } from "./spdx.ts";
import { predicateTypes } from "./statement.ts";
import { parseJson, referringManifests } from "./storedAttestations.ts";

/** A bill of materials among the referrers. */
export interface FoundDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Whether a verified attestation has the same content: the document itself is not signed. */
  readonly attested: boolean;
}

/** Unsigned bills of materials, and whether they say what is attested. */
export async function foundDocuments(
  source: ArtifactSource,
  image: Digest,
  attested: readonly { readonly predicateType: string; readonly predicate: unknown }[],
  place: Place,
): Promise<{
  readonly documents: readonly FoundDocument[];
  readonly problems: readonly SpacktainersError[];
}> {
  const documents: FoundDocument[] = [];
  const problems: SpacktainersError[] = [];
  for (const [mediaType, predicateType] of [
    [spdxMediaType, predicateTypes.spdx],
    [cycloneDxMediaType, predicateTypes.cyclonedx],
  ] as const)
    for (const { layers } of await referringManifests(source, image, mediaType)) {
      const layer = layers.find((one) => one.mediaType === mediaType);
      if (layer === undefined) continue;
      const json = parseJson(await source.blob(layer, largestEnvelope));
      const described = describedImage(predicateType, json);
      if (described !== undefined && described !== image)
        problems.push(
          new SpacktainersError("IDENTITY_MISMATCH", "a bill of materials describes another image", {
            place,
          }),
        );
      const content = contentDigest(json);
      documents.push({
        mediaType,
        digest: layer.digest,
        attested: attested.some(
          (one) => one.predicateType === predicateType && contentDigest(one.predicate) === content,
        ),
      });
    }
  return { documents, problems };
}

function contentDigest(json: unknown): Digest {
  return digestOf(JSON.stringify(json) ?? "");
}

/**
 * The bill of materials that is attached to an image: the first that says it describes this one, else the first that does not
 * say. It is not signed, and anybody who may write to the repository can have put it there: see `publishedBill`.
 *
 * @param mediaType of the format wanted
 * @returns undefined when there is none
 * @throws {SpacktainersError} `IDENTITY_MISMATCH` when all that there are describe other images
 */
export async function attachedDocument(
  source: ArtifactSource,
  image: Digest,
  mediaType: typeof spdxMediaType | typeof cycloneDxMediaType,
): Promise<JsonObject | undefined> {
  const predicateType = mediaType === spdxMediaType ? predicateTypes.spdx : predicateTypes.cyclonedx;
  let silent: JsonObject | undefined;
  let isOfOthers = false;
  for (const { layers } of await referringManifests(source, image, mediaType)) {
    const layer = layers.find((one) => one.mediaType === mediaType);
    const json = layer === undefined ? undefined : parseJson(await source.blob(layer, largestEnvelope));
    if (!isJsonObject(json)) continue;
    const described = describedImage(predicateType, json);
    if (described === image) return json;
    if (described === undefined) silent ??= json;
    else isOfOthers = true;
  }
  if (silent !== undefined || !isOfOthers) return silent;
  throw new SpacktainersError("IDENTITY_MISMATCH", "the bill of materials describes another image", {
    place: { url: `${source.repository}@${image}` },
  });
}
