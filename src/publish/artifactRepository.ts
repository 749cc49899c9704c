import { bytesBlob } from "../registry/blobSource.ts";
import { headBlob, readBlobBytes } from "../registry/blobs.ts";
import { getManifest, putManifest } from "../registry/manifests.ts";
import { pushBlobs } from "../registry/pushBlob.ts";
import { formatRepository, parseTag } from "../registry/reference.ts";
import { listReferrers, putReferrer } from "../registry/referrers.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { ArtifactSink, ArtifactSource } from "../supply/artifactStore.ts";
import { parseDigest } from "../util/digest.ts";

/**
 * A repository of a registry as the supply chain sees it: where bills of materials, signatures and attestations are read
 * from and put.
 *
 * @returns throws as the registry client does; `ARCHIVE_INVALID` for blobs that are larger than what they can be
 */
export function artifactRepository(repository: ImageRepository): ArtifactSource & ArtifactSink {
  return {
    repository: formatRepository(repository),
    async manifest(reference) {
      const found = await getManifest(repository, parseDigest(reference) ?? parseTag(reference));
      if (found === undefined) return undefined;
      const bytes = Buffer.from(found.bytes);
      return { bytes, descriptor: { mediaType: found.mediaType, digest: found.digest, size: bytes.length } };
    },
    referrers: (image, artifactType) => listReferrers(repository, image, artifactType),
    blob: (descriptor, maxBytes) => readBlobBytes(repository, descriptor, maxBytes),
    hasBlob: async ({ digest }) => (await headBlob(repository, digest)) !== undefined,
    async push({ title, blobs, manifest, tag }) {
      await pushBlobs(
        repository,
        blobs.map(({ bytes }) => bytesBlob(bytes, title)),
      );
      await putReferrer(repository, manifest.bytes);
      if (tag !== undefined)
        await putManifest(repository, parseTag(tag), manifest.bytes, manifest.descriptor.mediaType);
    },
  };
}
