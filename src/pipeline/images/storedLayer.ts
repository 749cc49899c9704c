import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { compressStream } from "../../archive/compressStream.ts";
import { compressionOf, decompressStream } from "../../archive/decompress.ts";
import { hashing } from "../../archive/gzip.ts";
import {
  type CompressionFormat,
  type CompressionSettings,
  compressionFacts,
} from "../../archive/layerCompression.ts";
import { layerMediaType } from "../../archive/oci/types.ts";
import type { FragmentFacts } from "../../archive/writeFragment.ts";
import { type FragmentStore, fragmentKey } from "../../image/fragmentStore.ts";
import type { ImageLayer } from "../../image/image.ts";
import type { SourceLayer } from "../../image/imageContents.ts";
import { type Digest, digestOfHex } from "../../util/digest.ts";

/**
 * A layer of an image that was opened as a layer of an image to be written: as it is where it is a compressed file, else as
 * a file in the store, compressed when it was not.
 *
 * @param compression of a layer that is none yet
 * @param createdBy one line for the image's history
 * @throws SpacktainersError ARCHIVE_INVALID; DISK_FULL and other errors of the system
 */
export async function storedLayer(
  layer: SourceLayer,
  store: FragmentStore,
  {
    compression: wanted,
    createdBy,
  }: {
    readonly compression: CompressionSettings;
    readonly createdBy: string;
  },
): Promise<ImageLayer> {
  const { path, digest, diffId, size } = layer;
  const found = await compressionOfLayer(layer);
  const asItIs = found === "gzip" || found === "zstd";
  const format = asItIs ? found : wanted.format;
  const mediaType = layerMediaType(format);
  if (asItIs && path !== undefined && digest !== undefined && diffId !== undefined && size !== undefined)
    return { path, digest, diffId, size, mediaType, createdBy };
  const identity = digest ?? diffId ?? (await tarDigest(layer));
  const key = fragmentKey({
    sourceLayer: 1,
    identity,
    compression: asItIs ? found : compressionFacts(wanted),
  });
  const stored = await store.make(key, async (temporary) => ({
    facts: await writeLayer(temporary, layer, format, asItIs ? undefined : wanted),
    inventory: { entries: [] },
  }));
  return {
    path: stored.path,
    digest: stored.digest,
    diffId: stored.diffId,
    size: stored.size,
    mediaType,
    createdBy,
  };
}

async function compressionOfLayer(layer: SourceLayer): Promise<ReturnType<typeof compressionOf>> {
  const head: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of layer.open()) {
    head.push(chunk);
    length += chunk.length;
    if (length >= 18) break;
  }
  return compressionOf(Buffer.concat(head).subarray(0, 18));
}

async function tarDigest(layer: SourceLayer): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of decompressStream(layer.open(), { where: { file: layer.name } }))
    hash.update(chunk);
  return digestOfHex(hash.digest("hex"));
}

async function writeLayer(
  path: string,
  layer: SourceLayer,
  format: CompressionFormat,
  compression: CompressionSettings | undefined,
): Promise<FragmentFacts> {
  const place = { file: layer.name };
  const stored = createHash("sha256");
  const plain = createHash("sha256");
  let tarSize = 0;
  let size = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of hashing(decompressStream(layer.open(), { where: place }), plain)) {
      tarSize += chunk.length;
      yield chunk;
    }
  };
  const file = await open(path, "wx", 0o444);
  try {
    for await (const chunk of compression === undefined
      ? layer.open()
      : compressStream(counted(), { compression })) {
      stored.update(chunk);
      size += chunk.length;
      await writeAll(file, chunk);
    }
  } finally {
    await file.close();
  }
  if (compression === undefined) for await (const _ of counted());
  return {
    compression: format,
    digest: digestOfHex(stored.digest("hex")),
    size,
    diffId: digestOfHex(plain.digest("hex")),
    tarSize,
    // It is one piece: nothing is taken out of it.
    bodyStart: 0,
    bodyEnd: size,
    parents: [],
  };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
}
