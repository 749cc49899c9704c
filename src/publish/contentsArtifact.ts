/**
 * The records of an image's layers in a registry. An artifact that refers to the image names them, so that the registry keeps
 * them as long as the image; the image's layers tell their digests themselves.
 */
import { type Descriptor, mediaTypes } from "../archive/oci/types.ts";
import { encode } from "../image/encodedDocument.ts";
import { bytesBlob } from "../registry/blobSource.ts";
import { findBlobs } from "../registry/blobs.ts";
import { pushBlob } from "../registry/pushBlob.ts";
import { putReferrer } from "../registry/referrers.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { Digest } from "../util/digest.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { type ContentsId, contentsMediaType, type LayerContents } from "./layerContents.ts";

/** Type of the artifact. */
export const contentsArtifactType = "application/vnd.spacktainers.contents.v1";

/** Records under way at a time. */
const recordsAtOnce = 8;

const emptyDocument = Buffer.from("{}", "utf8");

/** A record, and how to get it if the registry lacks it. */
export interface ContentsSource extends ContentsId {
  load(): Promise<LayerContents>;
}

/**
 * Pushes the records of an image's layers, and the artifact that names them.
 *
 * @param subject the image's manifest, which the repository has
 * @returns the artifact's digest
 * @throws SpacktainersError of the registry
 */
export async function pushContents(
  repository: ImageRepository,
  subject: Descriptor,
  records: readonly ContentsSource[],
): Promise<Digest> {
  const distinct = [...new Map(records.map((record) => [record.digest, record])).values()];
  const there = await findBlobs(
    repository,
    distinct.map(({ digest }) => digest),
  );
  const missing = distinct.filter(({ digest }) => !there.has(digest));
  await mapConcurrently(missing, recordsAtOnce, async (record) => {
    const { bytes } = await record.load();
    await pushBlob(repository, bytesBlob(bytes, "what is in a layer"), { missing: true });
  });
  const config = bytesBlob(emptyDocument, "the artifact's configuration");
  await pushBlob(repository, config);
  const { mediaType, digest, size } = subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: contentsArtifactType,
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: config.digest, size: config.size },
    layers: distinct.map((record) => ({
      mediaType: contentsMediaType,
      digest: record.digest,
      size: record.size,
    })),
    subject: { mediaType, digest, size },
  };
  return putReferrer(repository, encode(manifest, mediaTypes.manifest).bytes);
}
