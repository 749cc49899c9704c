import { contentOf } from "../archive/content.ts";
import type { Entry, EntryStream, FileEntry } from "../archive/entry.ts";
import { layerCompression } from "../archive/oci/types.ts";
import { hexOfDigest } from "../util/digest.ts";
import type { OciImage } from "./image.ts";
import type { OciLayer } from "./layer.ts";

/**
 * An image as the entries of the archive that `docker save` writes: `manifest.json`, the configuration and the layers, these
 * compressed as they are (`docker load`, `podman load` and Apptainer accept that), but for zstd, which not all of them read
 * here: such a layer comes without compression, as from Docker itself.
 *
 * @param reference `name[:tag]`, under which it will be known after loading; undefined: under none
 */
export async function* dockerArchiveEntries(image: OciImage, reference: string | undefined): EntryStream {
  const [config, layers] = [await image.config(), await image.layers()];
  const configName = `${hexOfDigest(config.descriptor.digest)}.json`;
  const tag = reference === undefined ? undefined : taggedName(reference);
  const manifest = [
    {
      Config: configName,
      RepoTags: tag === undefined ? [] : [tag],
      Layers: layers.map(layerName),
      MadeBy: "spacktainers",
    },
  ];
  yield bytesEntry("manifest.json", Buffer.from(JSON.stringify(manifest), "utf8"));
  const top = layers.at(-1);
  if (tag !== undefined && top !== undefined)
    yield bytesEntry("repositories", repositories(tag, hexOfDigest(top.digest)));
  yield bytesEntry(configName, config.bytes);
  for (const [name, layer] of new Map(layers.map((one) => [layerName(one), one])))
    yield isZstd(layer) ? await unpackedEntry(name, layer) : blobEntry(name, layer);
}

/** A file of an archive with these bytes. */
export function bytesEntry(path: string, bytes: Buffer): FileEntry {
  return { type: "file", path, ...ownership, size: bytes.length, content: contentOf(bytes) };
}

/** A file of an archive with a layer's bytes, as they are stored. */
export function blobEntry(path: string, layer: OciLayer): FileEntry {
  return { type: "file", path, ...ownership, size: layer.size, content: layer.blob() };
}

const ownership = { mode: 0o644, uid: 0, gid: 0, mtime: 0 } as const;

/** `name` without a tag gets `latest`, as everywhere. */
function taggedName(reference: string): string {
  return reference.lastIndexOf(":") > reference.lastIndexOf("/") ? reference : `${reference}:latest`;
}

/** The file of the oldest format, for programs that look for it: name → tag → layer. */
function repositories(tagged: string, layer: string): Buffer {
  const colon = tagged.lastIndexOf(":");
  return Buffer.from(JSON.stringify({ [tagged.slice(0, colon)]: { [tagged.slice(colon + 1)]: layer } }));
}

function layerName(layer: OciLayer): string {
  return isZstd(layer) ? `${hexOfDigest(layer.diffId)}.tar` : `${hexOfDigest(layer.digest)}.tar.gz`;
}

function isZstd(layer: OciLayer): boolean {
  return layerCompression(layer.mediaType) === "zstd";
}

/** A layer without its compression. It is read twice: how long it is stands before it. */
async function unpackedEntry(path: string, layer: OciLayer): Promise<Entry> {
  let size = 0;
  for await (const chunk of layer.tar()) size += chunk.length;
  return { type: "file", path, ...ownership, size, content: layer.tar() };
}
