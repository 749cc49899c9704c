/** From the name of an image to the image for one platform: indexes followed, documents verified and read. */
import { parseImageConfig, parseIndex, parseManifest } from "../archive/oci/parse.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageManifest,
  isIndexType,
  layerCompression,
  mediaTypes,
  type Platform,
} from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { redactUrl } from "../util/redact.ts";
import { readBlob } from "./blobs.ts";
import { dockerTypes, getManifest, type RemoteManifest } from "./manifests.ts";
import { choosePlatform, platformText } from "./platform.ts";
import { formatRepository, type Tag } from "./reference.ts";
import type { Repository } from "./registry.ts";

/** Indexes in indexes. */
const maxDepth = 4;
/** A configuration is a small document; a larger one is an attack or a mistake. */
const maxConfigBytes = 8 * 2 ** 20;

/** An image in a registry, its documents verified from the name down. */
export interface RemoteImage {
  /** What the name stands for now: an index, or the manifest itself. This is what to pin. */
  readonly root: RemoteManifest;
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The configuration as it is, byte for byte. */
  readonly configBytes: Buffer;
  /** From bottom to top, with what each has unpacked. Their bytes are still in the registry. */
  readonly layers: readonly (Descriptor & { readonly diffId: Digest })[];
}

/**
 * Finds the image for a platform behind a tag or a digest, and reads its manifest and its configuration.
 *
 * @throws NOT_FOUND when there is no such image, or none for the platform; ARCHIVE_INVALID, CHECKSUM_MISMATCH;
 *   NOT_SUPPORTED for what is no image of layers that we can read; ACCESS_DENIED, NETWORK
 */
export async function resolveImage(
  repository: Repository,
  reference: Tag | Digest,
  platform: Platform,
): Promise<RemoteImage> {
  const root = await required(repository, reference);
  let current = root;
  for (let depth = 0; isIndexType(current.mediaType); depth++) {
    const place = placeOf(repository, current.digest);
    if (depth >= maxDepth)
      throw new SpacktainersError("ARCHIVE_INVALID", "the image's indexes are nested too deeply", { place });
    const { manifests } = parseIndex(current.bytes, place);
    // An index without platforms can only lead on when there is one way.
    const only = manifests.length === 1 && manifests[0]?.platform === undefined ? manifests[0] : undefined;
    const chosen = choosePlatform(manifests, platform) ?? only;
    if (chosen === undefined) throw noPlatform(repository, reference, platform, manifests);
    current = await required(repository, chosen.digest);
  }
  return readImage(repository, reference, root, current, platform);
}

async function readImage(
  repository: Repository,
  reference: Tag | Digest,
  root: RemoteManifest,
  { bytes, digest, mediaType }: RemoteManifest,
  platform: Platform,
): Promise<RemoteImage> {
  const place = placeOf(repository, digest);
  const unsupported = (what: string): SpacktainersError =>
    new SpacktainersError("NOT_SUPPORTED", `${what} not supported`, { place });
  if (mediaType !== mediaTypes.manifest && mediaType !== dockerTypes.manifest)
    throw unsupported(`manifests of the type ${escapeControlsInLine(mediaType.slice(0, 100))} are`);
  const manifest = parseManifest(bytes, place);
  if (manifest.config.size > maxConfigBytes)
    throw new SpacktainersError("ARCHIVE_INVALID", "the configuration of the image is too large", { place });
  for (const layer of manifest.layers)
    if (layerCompression(layer.mediaType) === undefined)
      throw unsupported(`layers of the type ${escapeControlsInLine(layer.mediaType.slice(0, 100))} are`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBlob(repository, manifest.config)) chunks.push(chunk);
  const configBytes = Buffer.concat(chunks);
  const config = parseImageConfig(configBytes, place);
  if (choosePlatform([{ platform: config }], platform) === undefined)
    throw noPlatform(repository, reference, platform, [{ platform: config }]);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length)
    throw new SpacktainersError(
      "ARCHIVE_INVALID",
      `the image has ${manifest.layers.length} layers but its configuration names ${diffIds.length}`,
      { place },
    );
  const layers = manifest.layers.flatMap((layer, index) => {
    const diffId = diffIds[index];
    return diffId === undefined ? [] : [{ ...layer, diffId }];
  });
  return { root, manifestDigest: digest, manifest, config, configBytes, layers };
}

async function required(repository: Repository, reference: Tag | Digest): Promise<RemoteManifest> {
  const found = await getManifest(repository, reference);
  if (found !== undefined) return found;
  const separator = reference.startsWith("sha256:") ? "@" : ":";
  throw new SpacktainersError(
    "NOT_FOUND",
    `there is no image ${formatRepository(repository)}${separator}${reference}`,
    {
      place: placeOf(repository, reference),
      hint: "check its name and tag; a private one needs credentials",
    },
  );
}

function noPlatform(
  repository: Repository,
  reference: Tag | Digest,
  wanted: Platform,
  candidates: readonly { readonly platform?: Platform | undefined }[],
): SpacktainersError {
  const texts = candidates.flatMap(({ platform }) =>
    platform === undefined ? [] : [platformText(platform)],
  );
  const names = [...new Set(texts)].slice(0, 20).map((text) => escapeControlsInLine(text.slice(0, 80)));
  return new SpacktainersError("NOT_FOUND", `the image is not there for ${platformText(wanted)}`, {
    place: placeOf(repository, reference),
    hint: names.length === 0 ? "its index names no platforms" : `it is there for ${names.join(", ")}`,
  });
}

function placeOf(repository: Repository, reference: Tag | Digest): { readonly url: string } {
  return { url: redactUrl(`${repository.session.origin}/v2/${repository.path}/manifests/${reference}`) };
}
