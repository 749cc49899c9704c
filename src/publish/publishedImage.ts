/** Images that a registry has, as far as their documents tell. */
import { parseImageConfig, parseIndex, parseManifest } from "../archive/oci/parse.ts";
import type { ImageConfig, ImageManifest, Platform } from "../archive/oci/types.ts";
import { isIndexType } from "../archive/oci/types.ts";
import { inputsAnnotation } from "../image/annotations.ts";
import { readBlob } from "../registry/blobs.ts";
import { getManifest } from "../registry/manifests.ts";
import { choosePlatform } from "../registry/platform.ts";
import { formatRepository, type Tag } from "../registry/reference.ts";
import type { Repository } from "../registry/registry.ts";
import type { Digest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";

/** Most bytes of an image's configuration. */
const maxConfigBytes = 8 * 2 ** 20;

/** An image in a repository. */
export interface PublishedImage {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  /** Digest of everything that decided it, when we made it. */
  readonly inputs: string | undefined;
  /** Its configuration; read when first asked for. Throws as `readBlob`, ARCHIVE_INVALID. */
  config(): Promise<ImageConfig>;
}

/**
 * Reads the documents of an image.
 *
 * @param reference of the image, or of an index that has one for the platform
 * @returns undefined when there is none
 * @throws SpacktainersError ARCHIVE_INVALID, CHECKSUM_MISMATCH, ACCESS_DENIED, NETWORK
 */
export async function readPublishedImage(
  repository: Repository,
  reference: Tag | Digest,
  platform: Platform,
): Promise<PublishedImage | undefined> {
  const place = { url: `${formatRepository(repository)} ${reference}` };
  let found = await getManifest(repository, reference);
  if (found !== undefined && isIndexType(found.mediaType)) {
    const chosen = choosePlatform(parseIndex(found.bytes, place).manifests, platform);
    found = chosen === undefined ? undefined : await getManifest(repository, chosen.digest);
  }
  if (found === undefined || isIndexType(found.mediaType)) return undefined;
  const manifest = parseManifest(found.bytes, place);
  let config: Promise<ImageConfig> | undefined;
  return {
    repository,
    digest: found.digest,
    manifest,
    inputs: manifest.annotations?.[inputsAnnotation],
    config() {
      config ??= readBlobBytes(repository, manifest.config, maxConfigBytes).then((bytes) =>
        parseImageConfig(bytes, place),
      );
      return config;
    },
  };
}

/**
 * A whole blob, verified.
 *
 * @param most bytes that it may have
 * @throws SpacktainersError ARCHIVE_INVALID when it is larger; as `readBlob`
 */
export async function readBlobBytes(
  repository: Repository,
  blob: { readonly digest: Digest; readonly size: number },
  most: number,
): Promise<Buffer> {
  if (blob.size > most)
    throw new SpacktainersError("ARCHIVE_INVALID", `a document of ${blob.size} bytes is too large`, {
      place: { url: `${formatRepository(repository)} ${blob.digest}` },
    });
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBlob(repository, blob)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
