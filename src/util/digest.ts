import { createHash } from "node:crypto";

declare const digestBrand: unique symbol;

/** A content digest, `sha256:` and 64 lower-case hexadecimal digits (OCI image specification, "Digests"). */
export type Digest = `sha256:${string}` & { readonly [digestBrand]: true };

/** The digest if `text` is one (algorithm sha256 only), else undefined. */
export function parseDigest(text: string): Digest | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as Digest) : undefined;
}

/** The digest with these 64 hexadecimal digits; throws a RangeError when they are not. */
export function digestOfHex(hex: string): Digest {
  const digest = parseDigest(`sha256:${hex}`);
  if (digest === undefined) throw new RangeError(`not a SHA-256 in hexadecimal: ${hex.slice(0, 80)}`);
  return digest;
}

/** The 64 hexadecimal digits of a digest. */
export function hexOfDigest(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** SHA-256 of bytes held in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return digestOfHex(createHash("sha256").update(bytes).digest("hex"));
}
