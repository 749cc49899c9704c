import type { Digest } from "../util/digest.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import type { ArtifactSource } from "./artifactStore.ts";
import { describedImage } from "./describedImage.ts";
import { envelopeSigner, inTotoPayloadType } from "./dsse.ts";
import type { VerificationKey } from "./signingKey.ts";
import { readStatement } from "./statement.ts";
import { storedAttestations } from "./storedAttestations.ts";

/**
 * What one of the keys has stated of an image.
 *
 * @param predicateType of the statement wanted
 * @returns the predicate; undefined when no statement of this type on this image is signed by one of the keys
 */
export async function attestedDocument(
  source: ArtifactSource,
  image: Digest,
  predicateType: string,
  keys: readonly VerificationKey[],
): Promise<JsonObject | undefined> {
  for (const { envelope } of await storedAttestations(source, image)) {
    if (envelope.payloadType !== inTotoPayloadType || envelopeSigner(envelope, keys) === undefined) continue;
    const read = readStatement(envelope.payload);
    if (read?.predicateType !== predicateType || !read.images.includes(image)) continue;
    const described = describedImage(predicateType, read.predicate);
    if (described !== undefined && described !== image) continue;
    if (isJsonObject(read.predicate)) return read.predicate;
  }
  return undefined;
}
