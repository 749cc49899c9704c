import { type Digest, parseDigest } from "../util/digest.ts";
import { isJsonObject, type Json } from "../util/json.ts";
import { predicateTypes } from "./statement.ts";

/**
 * The image that a bill of materials says it describes, by digest; undefined when it does not say (documents of other
 * programs often do not).
 *
 * @param predicateType which format it is in
 */
export function describedImage(predicateType: string, document: unknown): Digest | undefined {
  if (!isJsonObject(document)) return undefined;
  if (predicateType === predicateTypes.cyclonedx) {
    const component = isJsonObject(document.metadata) ? document.metadata.component : undefined;
    if (!isJsonObject(component) || component.type !== "container") return undefined;
    return digestIn(component.hashes, "alg", "SHA-256", "content");
  }
  if (predicateType === predicateTypes.spdx) {
    const described = objects(document.relationships).find(
      (one) => one.relationshipType === "DESCRIBES" && one.spdxElementId === "SPDXRef-DOCUMENT",
    )?.relatedSpdxElement;
    const image = objects(document.packages).find(
      (one) => one.SPDXID === described && one.primaryPackagePurpose === "CONTAINER",
    );
    return digestIn(image?.checksums, "algorithm", "SHA256", "checksumValue");
  }
  return undefined;
}

function digestIn(list: Json | undefined, key: string, algorithm: string, value: string): Digest | undefined {
  const hex = objects(list).find((one) => one[key] === algorithm)?.[value];
  return typeof hex === "string" ? parseDigest(`sha256:${hex}`) : undefined;
}

function objects(value: Json | undefined): readonly Record<string, Json | undefined>[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
