import { readOciLayout } from "../../archive/oci/readOciLayout.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { platformOf } from "../../image/image.ts";
import type { Digest } from "../../util/digest.ts";

/** Digest of the manifest of a base that is an image; undefined for other bases. */
export async function baseDigest(
  base: BaseConfiguration,
  architecture: Container["arch"],
): Promise<Digest | undefined> {
  if (base.kind !== "oci") return undefined;
  const image = await readOciLayout(base.path, {
    platform: platformOf(architecture),
    verifyLayers: false,
    ...(base.reference === undefined ? {} : { reference: base.reference }),
  });
  return image.manifestDigest;
}
