/** Tags: moved to an image, or to an index that joins the images of all architectures. */
import { setTimeout as sleep } from "node:timers/promises";
import { parseIndex } from "../archive/oci/parse.ts";
import {
  type Annotations,
  type Descriptor,
  type ImageIndex,
  isIndexType,
  mediaTypes,
} from "../archive/oci/types.ts";
import { sortedAnnotations } from "../image/assembleImage.ts";
import { encode } from "../image/encodedDocument.ts";
import { getManifest, putManifest, type RemoteManifest } from "../registry/manifests.ts";
import { formatRepository, type Tag } from "../registry/reference.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { Digest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";

/** An image that is to be had by a tag. */
export interface TaggedImage {
  /** Of the manifest, with the image's platform; the repository has it. */
  readonly descriptor: Descriptor & { readonly platform: NonNullable<Descriptor["platform"]> };
  readonly bytes: Buffer;
}

/** What a tag is to stand for. */
export interface TagRequest {
  readonly tag: Tag;
  /** One an architecture, at least one. */
  readonly images: readonly TaggedImage[];
  /** All architectures that there are definitions for; images of those that are not among `images` stay. */
  readonly architectures: readonly string[];
  /** On the index. */
  readonly annotations: Annotations;
}

/** How often an index that others write at the same time is written again. */
const mostAttempts = 8;
/** An index is read again this many milliseconds after writing it. */
const settleMs = 100;

/**
 * Moves a tag. With one architecture it stands for the image itself, with several for an index.
 *
 * The specification has no conditional write, so another run that publishes another architecture at the same
 * time may overwrite ours: an index is read again, and written again until our images stay.
 *
 * @returns digest of what the tag stands for, and whether it did so before
 * @throws SpacktainersError NETWORK when others keep overwriting; of the registry
 */
export async function publishTag(
  repository: ImageRepository,
  request: TagRequest,
): Promise<{ readonly digest: Digest; readonly moved: boolean }> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const before = await getManifest(repository, request.tag);
    const wanted = wantedManifest(request, before);
    if (before?.digest === wanted.digest) return { digest: wanted.digest, moved: attempt > 0 };
    await putManifest(repository, request.tag, wanted.bytes, wanted.mediaType);
    if (wanted.mediaType !== mediaTypes.index) return { digest: wanted.digest, moved: true };
    await sleep(settleMs * (1 + Math.random()));
  }
  throw new SpacktainersError("NETWORK", `others keep overwriting the tag ${request.tag}`, {
    place: { url: formatRepository(repository) },
    hint: "push again when they have finished",
  });
}

function wantedManifest(
  request: TagRequest,
  before: RemoteManifest | undefined,
): Pick<RemoteManifest, "digest" | "mediaType" | "bytes"> {
  const { images, architectures } = request;
  const ours = new Set(images.map(({ descriptor }) => descriptor.platform.architecture));
  const kept = entriesOf(before).filter(
    ({ platform }) =>
      platform !== undefined &&
      architectures.includes(platform.architecture) &&
      !ours.has(platform.architecture),
  );
  const [only] = images;
  if (only !== undefined && images.length === 1 && kept.length === 0 && architectures.length <= 1)
    return { ...only.descriptor, bytes: only.bytes };
  const manifests = [...kept, ...images.map(({ descriptor }) => descriptor)].sort((a, b) =>
    (a.platform?.architecture ?? "") < (b.platform?.architecture ?? "") ? -1 : 1,
  );
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests,
    annotations: sortedAnnotations(request.annotations),
  };
  const { bytes, descriptor } = encode(index, mediaTypes.index);
  return { ...descriptor, bytes };
}

/** The images of an index; of anything else none. */
function entriesOf(manifest: RemoteManifest | undefined): readonly Descriptor[] {
  if (manifest === undefined || !isIndexType(manifest.mediaType)) return [];
  return parseIndex(manifest.bytes, {}).manifests;
}
