/** What a signature in a SIF file says: digests of the header, of descriptors and of data, as JSON. */
import { type Digest, digestOf } from "../util/digest.ts";
import { isJsonObject } from "../util/json.ts";
import { signedDescriptorBytes, signedHeaderBytes } from "./sifFormat.ts";

/** One object in a signature. */
export interface SignedObject {
  /** Its number, counted from the first of its group. */
  readonly relativeId: number;
  readonly descriptorDigest: string;
  readonly objectDigest: string;
}

/** The text that is signed, taken apart. */
export interface SignedDigests {
  readonly headerDigest: string;
  readonly objects: readonly SignedObject[];
}

/** Objects in one signature at most. */
const maxObjects = 4096;

/** Digest of what a signature covers of a header. @param header the 128 bytes */
export function headerDigest(header: Buffer): Digest {
  return digestOf(signedHeaderBytes(header));
}

/** Digest of what a signature covers of a descriptor. @param descriptor its 585 bytes */
export function descriptorDigest(descriptor: Buffer, relativeId: number): Digest {
  return digestOf(signedDescriptorBytes(descriptor, relativeId));
}

/** The text to be signed, in the order of fields that Apptainer has. */
export function formatSignedDigests(facts: SignedDigests): string {
  return JSON.stringify({
    version: 1,
    header: { digest: facts.headerDigest },
    objects: facts.objects.map(({ relativeId, descriptorDigest, objectDigest }) => ({
      relativeId,
      descriptorDigest,
      objectDigest,
    })),
  });
}

/** Reads a signed text; undefined when it is of another form. */
export function parseSignedDigests(text: string): SignedDigests | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(json) || json.version !== 1 || !isJsonObject(json.header)) return undefined;
  const { digest } = json.header;
  if (typeof digest !== "string" || !Array.isArray(json.objects) || json.objects.length > maxObjects)
    return undefined;
  const objects: SignedObject[] = [];
  for (const item of json.objects as readonly unknown[]) {
    if (!isJsonObject(item)) return undefined;
    const { relativeId, descriptorDigest, objectDigest } = item;
    if (typeof relativeId !== "number" || !Number.isSafeInteger(relativeId) || relativeId < 0)
      return undefined;
    if (typeof descriptorDigest !== "string" || typeof objectDigest !== "string") return undefined;
    objects.push({ relativeId, descriptorDigest, objectDigest });
  }
  return { headerDigest: digest, objects };
}
