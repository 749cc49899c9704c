/** Layers and images made in memory, for tests of what is merged and written. */
import { gzipSync } from "node:zlib";
import type { Entry } from "../../src/archive/entry.ts";
import { type ImageConfig, mediaTypes } from "../../src/archive/oci/types.ts";
import { writeTar } from "../../src/archive/writeTar.ts";
import { encode } from "../../src/image/encodedDocument.ts";
import type { Image } from "../../src/image/image.ts";
import type { Layer } from "../../src/image/layer.ts";
import { verifiedBytes, verifiedTar } from "../../src/image/verifiedStream.ts";
import { digestOf } from "../../src/util/digest.ts";

/** Entries as a tar archive. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  async function* stream() {
    yield* entries;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of writeTar(stream(), { trailer: true })) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Entries as a layer: gzip, with its digest. Made anew for each opening, since contents can be read only once. */
export async function layerOf(entries: readonly Entry[], name = "layer"): Promise<Layer> {
  return layerOfBytes(gzipSync(await tarOf(entries)), name);
}

/** What a layer is said to be, in place of what it is. */
export type Claims = Partial<Pick<Layer, "digest" | "diffId">>;

export function layerOfBytes(bytes: Buffer, name = "layer", claims: Claims = {}): Layer {
  const place = { file: name };
  const named = { digest: digestOf(bytes), diffId: undefined, ...claims };
  async function* open() {
    // In pieces, as files come.
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  }
  return {
    place,
    size: bytes.length,
    ...named,
    blob: () => verifiedBytes(open(), named.digest, place),
    tar: (onStored) => verifiedTar(open(), named, place, { onStored }),
  };
}

/** An image of layers, as if it came from an OCI layout. */
export function imageOf(layers: readonly Layer[], execution: Record<string, unknown> = {}): Image {
  const config: ImageConfig = {
    architecture: "amd64",
    os: "linux",
    config: execution,
    rootfs: { type: "layers", diff_ids: [] },
  };
  return {
    place: { file: "image" },
    origin: { bootstrap: "oci", from: `sha256:${"0".repeat(64)}` },
    reference: undefined,
    manifest: undefined,
    hasOwnScripts: false,
    apptainerPath: undefined,
    config: () => Promise.resolve(encode(config, mediaTypes.config)),
    layers: () => Promise.resolve(layers),
    contentDigest: () => Promise.resolve(undefined),
    close: async () => {},
  };
}
