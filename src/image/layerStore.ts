import { type BlobId, downloadBlob } from "../registry/blobs.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { BlobStore } from "../util/blobStore.ts";

/** Where layers of images in registries are kept on this machine. */
export interface LayerStore {
  readonly layers: BlobStore;
  /** A directory for unfinished downloads. */
  readonly incoming: string;
}

/**
 * A blob as a file, downloaded when it is not here.
 *
 * @param label what it is, for people
 * @throws SpacktainersError of the registry; CHECKSUM_MISMATCH; DISK_FULL and other errors of the system
 */
export async function fetchBlob(
  repository: ImageRepository,
  { digest, size }: BlobId,
  { layers, incoming }: LayerStore,
  label: string,
): Promise<string> {
  const known = await layers.find(digest);
  if (known !== undefined) return known;
  const temporary = await layers.temporary();
  await downloadBlob(repository, { digest, size }, temporary, { label, partialDirectory: incoming });
  return layers.adopt(temporary, digest);
}
