import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { openOciSource } from "../../image/openOciSource.ts";
import { platformOf } from "../../image/platform.ts";
import type { Digest } from "../../util/digest.ts";

/** Digest of the manifest of a base that is an image; undefined for other bases. */
export async function baseDigest(
  base: BaseConfiguration,
  architecture: Container["arch"],
): Promise<Digest | undefined> {
  if (base.kind !== "oci") return undefined;
  const { path, reference } = base;
  const image = await openOciSource(path, { platforms: [platformOf(architecture)], reference });
  await image.close();
  return image.manifest.descriptor.digest;
}
