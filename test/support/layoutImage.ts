/** OCI layouts written by hand, as bases. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { type Digest, digestOf, hexOfDigest } from "../../src/util/digest.ts";
import type { ImageParts } from "./remoteImage.ts";

/** Writes a layout with one image; returns the digest of its manifest. */
export function putLayout(
  directory: string,
  { layers, config = {}, architecture = "amd64" }: ImageParts,
): Digest {
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const blob = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, hexOfDigest(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const json = (value: object, mediaType: string) => blob(Buffer.from(JSON.stringify(value)), mediaType);
  const platform = { os: "linux", architecture };
  const manifest = json(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: json(
        {
          ...platform,
          config,
          rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
        },
        mediaTypes.config,
      ),
      layers: layers.map((layer) => blob(gzipSync(layer), mediaTypes.layer)),
    },
    mediaTypes.manifest,
  );
  writeFileSync(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, platform }] }),
  );
  writeFileSync(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return manifest.digest;
}
