/** Small images in archives, made by hand. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { type Digest, digestOf, hexOfDigest } from "../../src/util/digest.ts";
import { tarOf } from "../sif/layers.ts";
import { file } from "../support/hostImage.ts";

/** A folder for archives, removed after the tests of a file. */
export function archiveFolder(): { readonly path: string; write(bytes: Uint8Array): string } {
  const path = mkdtempSync(join(tmpdir(), "spacktainers-archives-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  let count = 0;
  return {
    path,
    write(bytes) {
      const name = join(path, `${count++}.tar`);
      writeFileSync(name, bytes);
      return name;
    },
  };
}

/** One layer with one file, as it is and compressed, and a configuration that names it. */
export async function imageParts(diffId?: Digest) {
  const layer = await tarOf([file("hello", "world")]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["x"] },
      rootfs: { type: "layers", diff_ids: [diffId ?? digestOf(layer)] },
    }),
  );
  return { layer, config, packed: gzipSync(layer) };
}

/** Files of a layout with one image. */
export async function layoutFiles({
  diffId,
  damage,
}: {
  readonly diffId?: Digest;
  readonly damage?: (packed: Buffer) => Buffer;
} = {}): Promise<ReadonlyMap<string, Buffer>> {
  const { config, packed } = await imageParts(diffId);
  const describe = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: describe(config, mediaTypes.config),
      layers: [describe(packed, mediaTypes.layer)],
    }),
  );
  const index = { schemaVersion: 2, manifests: [describe(manifest, mediaTypes.manifest)] };
  const blob = (bytes: Buffer): string => `blobs/sha256/${hexOfDigest(digestOf(bytes))}`;
  return new Map([
    ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ["index.json", Buffer.from(JSON.stringify(index))],
    [blob(manifest), manifest],
    [blob(config), config],
    [blob(packed), damage?.(Buffer.from(packed)) ?? packed],
  ]);
}

/** What an image without an index is asked for. */
export const query = { platforms: [{ os: "linux", architecture: "amd64" }], reference: undefined };

/** All bytes of a stream. */
export async function bytesOf(chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
