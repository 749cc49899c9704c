import type { Descriptor } from "../archive/oci/types.ts";
import { digestOf } from "../util/digest.ts";

/** A document of an image: what it says, and its bytes, of which digests are. */
export interface EncodedDocument<T> {
  readonly value: T;
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

/** A JSON document as bytes with its descriptor; keys in the order they have in `value`. */
export function encode<T>(value: T, mediaType: string): EncodedDocument<T> {
  const bytes = Buffer.from(JSON.stringify(value), "utf8");
  return { value, bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}
