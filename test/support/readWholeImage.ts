import type { ImageConfig, ImageManifest, Platform } from "../../src/archive/oci/types.ts";
import type { OciImage } from "../../src/image/image.ts";
import type { OciLayer } from "../../src/image/layer.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import type { Digest } from "../../src/util/digest.ts";

/** All parts of an image. */
export interface WholeImage {
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  readonly layers: readonly OciLayer[];
}

/** Reads an image whole: its layers are compared with both of their digests. */
export async function readWholeImage(image: OciImage): Promise<WholeImage> {
  const { manifest } = image;
  const [config, layers] = [await image.config(), await image.layers()];
  for (const layer of layers) for await (const _ of layer.tar());
  return {
    manifestDigest: manifest.descriptor.digest,
    manifest: manifest.value,
    config: config.value,
    configBytes: config.bytes,
    layers,
  };
}

/** Reads the image of a layout whole. */
export async function readWholeLayout(
  directory: string,
  { platform, reference }: { readonly platform: Platform; readonly reference?: string },
): Promise<WholeImage> {
  return readWholeImage(await openLayout(directory, { platforms: [platform], reference }));
}
