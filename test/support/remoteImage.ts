/** Images put into registries, fake or real, by our own client. */
import { gzipSync } from "node:zlib";
import { type Descriptor, type ImageConfig, mediaTypes } from "../../src/archive/oci/types.ts";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { putManifest } from "../../src/registry/manifests.ts";
import { pushBlob } from "../../src/registry/pushBlob.ts";
import { parseTag } from "../../src/registry/reference.ts";
import type { ImageRepository } from "../../src/registry/registry.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";

/** An image for one architecture. */
export interface ImageParts {
  /** Uncompressed, lowest first. */
  readonly layers: readonly Buffer[];
  readonly config?: ImageConfig["config"];
  /** Default amd64. */
  readonly architecture?: "amd64" | "arm64";
}

/** An image in a registry. */
export interface PutImage {
  readonly digest: Digest;
  readonly layers: readonly Digest[];
}

async function pushParts(
  repository: ImageRepository,
  { layers, config, architecture = "amd64" }: ImageParts,
): Promise<{ readonly bytes: Buffer; readonly descriptor: Descriptor; readonly layers: readonly Digest[] }> {
  const packed = layers.map((layer) => gzipSync(layer));
  const image: ImageConfig = {
    architecture,
    os: "linux",
    ...(config === undefined ? {} : { config }),
    rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
  };
  const configBytes = Buffer.from(JSON.stringify(image));
  for (const blob of [...packed, configBytes]) await pushBlob(repository, bytesBlob(blob, "a part"));
  const describe = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: describe(configBytes, mediaTypes.config),
      layers: packed.map((layer) => describe(layer, mediaTypes.layer)),
    }),
  );
  return {
    bytes: manifest,
    descriptor: { ...describe(manifest, mediaTypes.manifest), platform: { os: "linux", architecture } },
    layers: packed.map((layer) => digestOf(layer)),
  };
}

/** Puts an image under a tag. */
export async function putImage(
  repository: ImageRepository,
  tag: string,
  parts: ImageParts,
): Promise<PutImage> {
  const { bytes, layers } = await pushParts(repository, parts);
  const { digest } = await putManifest(repository, parseTag(tag), bytes, mediaTypes.manifest);
  return { digest, layers };
}

/** Puts one image for several architectures under a tag: an index. */
export async function putIndex(
  repository: ImageRepository,
  tag: string,
  images: readonly ImageParts[],
): Promise<readonly PutImage[]> {
  const put = [];
  for (const parts of images) {
    const { bytes, descriptor, layers } = await pushParts(repository, parts);
    await putManifest(repository, descriptor.digest, bytes, mediaTypes.manifest);
    put.push({ descriptor, digest: descriptor.digest, layers });
  }
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: put.map(({ descriptor }) => descriptor),
  };
  await putManifest(repository, parseTag(tag), Buffer.from(JSON.stringify(index)), mediaTypes.index);
  return put;
}
