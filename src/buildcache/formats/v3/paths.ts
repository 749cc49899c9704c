/** Where layout v3 keeps things, relative to the root of a cache. Formats: `docs/formats.md`, "Build cache layout". */
import type { ConcreteSpec } from "../../../spec/concrete.ts";
import { type Digest, hexOfDigest } from "../../../util/digest.ts";
import { pathComponent } from "../packageId.ts";

export const v3FixedPaths = {
  layout: "v3/layout.json",
  manifests: "v3/manifests",
  indexManifest: "v3/manifests/index/index.manifest.json",
  keyIndexManifest: "v3/manifests/key/keys.manifest.json",
  keyManifest: (fingerprint: string) => `v3/manifests/key/${fingerprint}.key.manifest.json`,
} as const;

/** The manifest of a package. */
export function manifestPath({
  name,
  version,
  hash,
}: Pick<ConcreteSpec, "name" | "version" | "hash">): string {
  const folder = pathComponent(name);
  return `v3/manifests/spec/${folder}/${pathComponent(`${name}-${version}-${hash}`)}.spec.manifest.json`;
}

/** A blob. */
export function blobPath(digest: Digest): string {
  const hex = hexOfDigest(digest);
  return `blobs/sha256/${hex.slice(0, 2)}/${hex}`;
}
