import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { compressStream } from "../archive/compressStream.ts";
import { compressionOf } from "../archive/decompress.ts";
import { hashing } from "../archive/gzip.ts";
import { type CompressionFormat, type CompressionSettings, encodingOf } from "../archive/layerCompression.ts";
import { layerMediaType } from "../archive/oci/types.ts";
import type { FragmentDescriptor } from "../archive/writeFragment.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { fileLayer } from "./fileLayer.ts";
import { type FragmentStore, fragmentKey } from "./fragmentStore.ts";
import type { Layer, OciLayer } from "./layer.ts";
import { localLayer } from "./registryLayer.ts";

/** How to store a layer. */
export interface StoredLayerOptions {
  /** Of a layer that is not compressed yet. */
  readonly compression: CompressionSettings;
  /** One line for the history of the image that it will be in. */
  readonly createdBy: string;
  /** A digest that decides a layer which has none of its own; undefined: the layer is read to know. */
  readonly identity?: Digest | undefined;
}

/**
 * A layer of an image that was opened as a layer of an image to be made: as it is where a manifest describes it and it is
 * compressed, else as a file in the store, compressed when it was not.
 *
 * @throws SpacktainersError ARCHIVE_INVALID, CHECKSUM_MISMATCH; DISK_FULL and other errors of the system
 */
export async function storedLayer(
  layer: Layer | OciLayer,
  store: FragmentStore,
  { compression: wanted, createdBy, identity: known }: StoredLayerOptions,
): Promise<OciLayer> {
  const described = "local" in layer ? await localLayer(layer) : undefined;
  const found = await compressionOfLayer(described ?? layer);
  const isPacked = found === "gzip" || found === "zstd";
  const format = isPacked ? found : wanted.format;
  const mediaType = layerMediaType(format);
  if (isPacked && described !== undefined)
    return { ...described, mediaType, createdBy, annotations: undefined };
  const identity = layer.digest ?? layer.diffId ?? known ?? (await tarDigest(layer));
  const key = fragmentKey({
    sourceLayer: 1,
    identity,
    compression: isPacked ? found : encodingOf(wanted),
  });
  const { path, digest, diffId, size } = await store.make(key, async (temporary) => ({
    facts: await writeLayer(temporary, layer, format, isPacked ? undefined : wanted),
    inventory: { entries: [] },
  }));
  const facts = { digest, size, diffId, mediaType, createdBy, annotations: undefined };
  return fileLayer(facts, { path, offset: 0, size }, { isOurs: true });
}

async function compressionOfLayer(layer: Layer): Promise<ReturnType<typeof compressionOf>> {
  const head: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of layer.blob()) {
    head.push(chunk);
    length += chunk.length;
    if (length >= 18) break;
  }
  return compressionOf(Buffer.concat(head).subarray(0, 18));
}

async function tarDigest(layer: Layer): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of layer.tar()) hash.update(chunk);
  return digestOfHex(hash.digest("hex"));
}

async function writeLayer(
  path: string,
  layer: Layer,
  format: CompressionFormat,
  compression: CompressionSettings | undefined,
): Promise<FragmentDescriptor> {
  const stored = createHash("sha256");
  const plain = createHash("sha256");
  let tarSize = 0;
  let size = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of hashing(layer.tar(), plain)) {
      tarSize += chunk.length;
      yield chunk;
    }
  };
  const file = await open(path, "wx", 0o444);
  try {
    for await (const chunk of compression === undefined
      ? layer.blob()
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
