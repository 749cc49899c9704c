import type { OciImage } from "../image/image.ts";
import { type PushedImage, pushLayersAndManifest as pushTo } from "../publish/pushLayersAndManifest.ts";
import { putManifest } from "../registry/manifests.ts";
import { formatReference, parseReference } from "../registry/reference.ts";
import { openRegistry, type RegistryOptions } from "../registry/registry.ts";
import type { Digest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";

/** How to publish; everything may be left out. */
export interface PushImageOptions {
  /** Default: those of Podman's and Docker's files and their helpers; of AWS for ECR. */
  readonly credentials?: RegistryOptions["credentials"];
  /** Speak plain HTTP; default: only with a registry on this machine. */
  readonly plainHttp?: boolean | undefined;
  readonly emit?: RegistryOptions["emit"] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An image that was published. */
export interface PublishedImage extends PushedImage {
  /** Its name by digest: `HOST/PATH@sha256:…`. */
  readonly reference: string;
  readonly digest: Digest;
}

/**
 * Publishes an image: what the registry does not have is sent, then the tag is moved.
 *
 * @param reference `HOST/PATH:TAG`; without a tag, the image can be had by its digest only
 * @throws {SpacktainersError} `ACCESS_DENIED`, `NETWORK`, `REGISTRY_REFUSED`; what was sent until then stays there
 */
export async function pushImage(
  image: OciImage,
  reference: string,
  { credentials, plainHttp, emit, signal = new AbortController().signal }: PushImageOptions = {},
): Promise<PublishedImage> {
  const { host, path, tag, digest: named } = parseReference(reference);
  const { bytes, descriptor } = image.manifest;
  if (named !== undefined && named !== descriptor.digest)
    throw new SpacktainersError("USAGE", `the image is not ${named} but ${descriptor.digest}`);
  const registry = openRegistry({
    host,
    credentials,
    scheme: plainHttp === true ? "http" : undefined,
    signal,
    emit,
  });
  try {
    const repository = registry.repository(path);
    const pushed = await pushTo(repository, image, signal);
    if (tag !== undefined) await putManifest(repository, tag, bytes, descriptor.mediaType);
    const { digest } = descriptor;
    return { ...pushed, digest, reference: formatReference({ host, path, tag: undefined, digest }) };
  } finally {
    await registry.close();
  }
}
