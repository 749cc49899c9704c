/** Layers and images made in memory, for tests of what is merged and written. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Entry } from "../../src/archive/entry.ts";
import { writeTar } from "../../src/archive/writeTar.ts";
import type { SourceImage, SourceLayer } from "../../src/image/imageContents.ts";
import { digestOfHex } from "../../src/util/digest.ts";

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
export async function layerOf(entries: readonly Entry[], name = "layer"): Promise<SourceLayer> {
  return layerOfBytes(gzipSync(await tarOf(entries)), name);
}

export function layerOfBytes(bytes: Buffer, name = "layer"): SourceLayer {
  return {
    name,
    size: bytes.length,
    digest: digestOfHex(createHash("sha256").update(bytes).digest("hex")),
    async *open() {
      // In pieces, as files come.
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
    },
  };
}

/** An image of layers, as if it came from an OCI layout. */
export function imageOf(layers: readonly SourceLayer[], config: Record<string, unknown> = {}): SourceImage {
  const document = { architecture: "amd64", os: "linux", config, rootfs: { type: "layers", diff_ids: [] } };
  return {
    config: document as unknown as SourceImage["config"],
    configBytes: Buffer.from(JSON.stringify(document)),
    layers,
    origin: { bootstrap: "oci", from: `sha256:${"0".repeat(64)}` },
  };
}
