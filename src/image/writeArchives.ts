/** Images as single tar files: the OCI layout in a tar (`oci-archive`), and what `docker load` reads (`docker-archive`). */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { contentOf } from "../archive/content.ts";
import { decompressStream } from "../archive/decompress.ts";
import type { Entry, EntryStream, FileEntry } from "../archive/entry.ts";
import { layerCompression } from "../archive/oci/types.ts";
import { parentDirectory } from "../archive/writeFragment.ts";
import { writeTar } from "../archive/writeTar.ts";
import { hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Image, ImageLayer } from "./image.ts";
import { type ImageNaming, layoutDocuments } from "./layoutDocuments.ts";
import { firstTarFile, type OutputOptions, replaceFile } from "./outputTarget.ts";
import { isOurIndex } from "./writeOciLayout.ts";

/**
 * Writes an OCI layout as one tar file.
 * @param images one a platform
 * @throws SpacktainersError OUTPUT_EXISTS when a file we did not make is there; DISK_FULL and other errors of the system
 */
export async function writeOciArchive(
  path: string,
  images: readonly Image[],
  options: OutputOptions & ImageNaming = {},
): Promise<void> {
  const { marker, index, blobs } = layoutDocuments(images, options);
  async function* entries(): EntryStream {
    // The index first: it tells whose file this is without reading far.
    yield bytesEntry("index.json", index);
    yield bytesEntry("oci-layout", marker);
    yield parentDirectory("blobs");
    yield parentDirectory("blobs/sha256");
    for (const blob of blobs) {
      const name = `blobs/sha256/${hexOfDigest(blob.digest)}`;
      yield "bytes" in blob.from
        ? bytesEntry(name, blob.from.bytes)
        : fileEntry(name, blob.from.path, blob.size);
    }
  }
  await replaceFile(path, options, isOurOciArchive, (temporary) =>
    writeTarFile(temporary, entries(), options),
  );
}

/**
 * Writes an image in the format of `docker save`: `manifest.json`, the configuration and the layers, these compressed as
 * they are (`docker load`, `podman load` and Apptainer accept that), but for zstd, which not all of them read here: such a
 * layer is written without compression, as Docker itself does.
 *
 * @param options `reference`: `name:tag`, under which it will be known after loading
 * @throws SpacktainersError OUTPUT_EXISTS when a file we did not make is there; DISK_FULL and other errors of the system
 */
export async function writeDockerArchive(
  path: string,
  image: Image,
  options: OutputOptions & ImageNaming = {},
): Promise<void> {
  const configName = `${hexOfDigest(image.config.descriptor.digest)}.json`;
  const layerName = (index: number): string => {
    const layer = image.layers[index];
    if (layer === undefined) throw new SpacktainersError("INTERNAL", "a layer is missing");
    return isZstd(layer) ? `${hexOfDigest(layer.diffId)}.tar` : `${hexOfDigest(layer.digest)}.tar.gz`;
  };
  const tags = options.reference === undefined ? [] : [taggedName(options.reference)];
  const manifest = [
    {
      Config: configName,
      RepoTags: tags,
      Layers: image.layers.map((_, index) => layerName(index)),
      MadeBy: "spacktainers",
    },
  ];
  async function* entries(): EntryStream {
    yield bytesEntry("manifest.json", Buffer.from(JSON.stringify(manifest), "utf8"));
    const top = image.layers.at(-1);
    if (tags[0] !== undefined && top !== undefined)
      yield bytesEntry("repositories", repositories(tags[0], hexOfDigest(top.digest)));
    yield bytesEntry(configName, image.config.bytes);
    const written = new Set<string>();
    for (const [index, layer] of image.layers.entries()) {
      const name = layerName(index);
      if (written.has(name)) continue;
      written.add(name);
      yield isZstd(layer) ? await unpackedEntry(name, layer) : fileEntry(name, layer.path, layer.size);
    }
  }
  await replaceFile(path, options, isOurDockerArchive, (temporary) =>
    writeTarFile(temporary, entries(), options),
  );
}

/** `name` without a tag gets `latest`, as everywhere. */
function taggedName(reference: string): string {
  return reference.lastIndexOf(":") > reference.lastIndexOf("/") ? reference : `${reference}:latest`;
}

/** The file of the oldest format, for programs that look for it: name → tag → layer. */
function repositories(tagged: string, layer: string): Buffer {
  const colon = tagged.lastIndexOf(":");
  return Buffer.from(JSON.stringify({ [tagged.slice(0, colon)]: { [tagged.slice(colon + 1)]: layer } }));
}

const ownership = { mode: 0o644, uid: 0, gid: 0, mtime: 0 } as const;

function bytesEntry(path: string, bytes: Buffer): FileEntry {
  return { type: "file", path, ...ownership, size: bytes.length, content: contentOf(bytes) };
}

function fileEntry(path: string, from: string, size: number): Entry {
  async function* content(): AsyncGenerator<Uint8Array, void, void> {
    yield* createReadStream(from, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
  }
  return { type: "file", path, ...ownership, size, content: content() };
}

function isZstd(layer: ImageLayer): boolean {
  return layerCompression(layer.mediaType) === "zstd";
}

/** A layer without its compression. It is read twice: how long it is stands before it. */
async function unpackedEntry(path: string, layer: ImageLayer): Promise<Entry> {
  const content = () =>
    decompressStream(createReadStream(layer.path, { highWaterMark: 2 ** 20 }), {
      where: { file: layer.path },
    });
  let size = 0;
  for await (const chunk of content()) size += chunk.length;
  return { type: "file", path, ...ownership, size, content: content() };
}

async function writeTarFile(path: string, entries: EntryStream, options: OutputOptions): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    for await (const chunk of writeTar(entries, { trailer: true })) {
      for (let at = 0; at < chunk.length; )
        at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
      options.onBytes?.(chunk.length);
    }
  } finally {
    await file.close();
  }
}

async function isOurOciArchive(path: string): Promise<boolean> {
  const first = await firstTarFile(path);
  return first?.entry.path === "index.json" && isOurIndex(first.content);
}

async function isOurDockerArchive(path: string): Promise<boolean> {
  const first = await firstTarFile(path);
  return first?.entry.path === "manifest.json" && first.content.includes('"MadeBy":"spacktainers"');
}
