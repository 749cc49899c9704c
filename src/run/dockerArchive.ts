import { createReadStream } from "node:fs";
import { contentOf } from "../archive/content.ts";
import type { Entry } from "../archive/entry.ts";
import type { LayoutImage } from "../archive/oci/readOciLayout.ts";
import { hexOfDigest } from "../util/digest.ts";

/**
 * An image as the entries of the archive that `docker save` writes; the layers stay compressed.
 * @param name what the image is to be called by whoever loads it
 */
export async function* dockerArchiveEntries(
  image: LayoutImage,
  name: string,
): AsyncGenerator<Entry, void, void> {
  const base = { mode: 0o644, uid: 0, gid: 0, mtime: 0, type: "file" as const };
  const small = (path: string, bytes: Buffer): Entry => ({
    ...base,
    path,
    size: bytes.length,
    content: contentOf(bytes),
  });
  const config = `${hexOfDigest(image.manifest.config.digest)}.json`;
  yield small(config, image.configBytes);
  const layers = new Map(image.layers.map((layer) => [`${hexOfDigest(layer.digest)}.tar`, layer]));
  for (const [path, layer] of layers)
    yield {
      ...base,
      path,
      size: layer.size,
      content: createReadStream(layer.path, { highWaterMark: 2 ** 20 }),
    };
  const manifest = [
    { Config: config, RepoTags: [name], Layers: image.layers.map((l) => `${hexOfDigest(l.digest)}.tar`) },
  ];
  yield small("manifest.json", Buffer.from(JSON.stringify(manifest)));
}
