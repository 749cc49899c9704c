/** Images in registries: their documents verified from the name down. */
import { type Descriptor, isIndexType, isManifestType } from "../archive/oci/types.ts";
import { readBlobBytes } from "../registry/blobs.ts";
import { getManifest, type RemoteManifest } from "../registry/manifests.ts";
import { formatRepository, type Tag } from "../registry/reference.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { Digest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { followIndex } from "./followIndex.ts";
import type { Image, ImageQuery, OciImage } from "./image.ts";
import type { LayerStore } from "./layerStore.ts";
import { maxConfigBytes, ociImage } from "./ociImage.ts";
import { registryLayer } from "./registryLayer.ts";

/** An image in a registry. */
export interface RegistryImage extends OciImage {
  readonly repository: ImageRepository;
  /** What the name stands for now: an index, or the manifest itself. This is what to pin. */
  readonly root: RemoteManifest;
}

/** Whether an image is in a registry. */
export function isRegistryImage(image: Image | RegistryImage): image is RegistryImage {
  return "repository" in image && "root" in image;
}

/** How to open an image in a registry. */
export interface RegistryImageOptions extends Pick<ImageQuery, "platforms"> {
  /** Where its layers are kept on this machine once they are read. */
  readonly store: LayerStore;
  /** What it is called, for people and for a definition file; default the repository. */
  readonly shown?: string;
}

/**
 * Opens the image for a platform behind a tag or a digest: its manifest is read, and the indexes that lead to it.
 *
 * @throws SpacktainersError NOT_FOUND when there is no such image, or none for the platform; ARCHIVE_INVALID,
 *   CHECKSUM_MISMATCH; NOT_SUPPORTED for what is no image; ACCESS_DENIED, NETWORK
 */
export async function openRegistryImage(
  repository: ImageRepository,
  reference: Tag | Digest,
  options: RegistryImageOptions,
): Promise<RegistryImage> {
  const found = await findRegistryImage(repository, reference, options);
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

/**
 * As {@link openRegistryImage}.
 * @returns undefined when there is nothing of this name
 */
export async function findRegistryImage(
  repository: ImageRepository,
  reference: Tag | Digest,
  { platforms, store, shown = formatRepository(repository) }: RegistryImageOptions,
): Promise<RegistryImage | undefined> {
  const root = await getManifest(repository, reference);
  if (root === undefined) return undefined;
  const rootDescriptor = { mediaType: root.mediaType, digest: root.digest, size: root.bytes.length };
  const read = async (descriptor: Descriptor): Promise<Buffer> =>
    descriptor.digest === root.digest ? root.bytes : readDocument(repository, descriptor);
  const place = placeOf(repository, reference);
  const [chosen] = await followIndex(
    [rootDescriptor],
    platforms,
    { read, placeOf: ({ digest }) => placeOf(repository, digest) },
    place,
  );
  const { mediaType, digest, size } = chosen;
  const image = ociImage({
    place: placeOf(repository, digest),
    origin: { bootstrap: "docker", from: `${shown}@${digest}` },
    reference: `docker://${formatRepository(repository)}@${digest}`,
    manifest: { bytes: await read(chosen), descriptor: { mediaType, digest, size } },
    platforms,
    readConfig: (descriptor) => readBlobBytes(repository, descriptor, maxConfigBytes),
    layer: (facts) => Promise.resolve(registryLayer(facts, { repository, store, shown })),
    attachedDocuments: () => Promise.resolve([]),
    close: async () => {},
  });
  return { ...image, repository, root };
}

/** A manifest, an index, or a configuration: registries keep the first two apart from other blobs. */
async function readDocument(repository: ImageRepository, descriptor: Descriptor): Promise<Buffer> {
  const isManifest = isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType);
  if (!isManifest) return readBlobBytes(repository, descriptor, maxConfigBytes);
  const { digest, size } = descriptor;
  const place = placeOf(repository, digest);
  const found = await getManifest(repository, digest);
  if (found === undefined)
    throw new SpacktainersError("NOT_FOUND", "a manifest that an index names is not in the repository", {
      place,
    });
  if (found.bytes.length === size) return found.bytes;
  throw new SpacktainersError(
    "CHECKSUM_MISMATCH",
    `a manifest has ${found.bytes.length} bytes, not ${size}`,
    {
      place,
      hint: "the registry is damaged or malicious; spacktainers did not use the manifest",
    },
  );
}

function placeOf(repository: ImageRepository, reference: Tag | Digest): Place {
  return { url: redactUrl(`${repository.session.origin}/v2/${repository.path}/manifests/${reference}`) };
}
