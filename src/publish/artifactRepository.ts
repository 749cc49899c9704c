import { bytesBlob } from "../registry/blobSource.ts";
import { headBlob, readBlob } from "../registry/blobs.ts";
import { getManifest, putManifest } from "../registry/manifests.ts";
import { pushBlobs } from "../registry/pushBlob.ts";
import { formatRepository, parseTag } from "../registry/reference.ts";
import { listReferrers, putReferrer } from "../registry/referrers.ts";
import type { Repository } from "../registry/registry.ts";
import type { ArtifactSink, ArtifactSource } from "../supply/artifactStore.ts";
import { parseDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";

/**
 * A repository of a registry as the supply chain sees it: where bills of materials, signatures and attestations are read
 * from and put.
 *
 * @returns throws as the registry client does; `ARCHIVE_INVALID` for blobs that are larger than what they can be
 */
export function artifactRepository(repository: Repository): ArtifactSource & ArtifactSink {
  const name = formatRepository(repository);
  return {
    repository: name,
    async manifest(reference) {
      const found = await getManifest(repository, parseDigest(reference) ?? parseTag(reference));
      if (found === undefined) return undefined;
      const bytes = Buffer.from(found.bytes);
      return { bytes, descriptor: { mediaType: found.mediaType, digest: found.digest, size: bytes.length } };
    },
    referrers: (image, artifactType) => listReferrers(repository, image, artifactType),
    async blob(descriptor, maxBytes) {
      if (descriptor.size > maxBytes)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `a blob of ${descriptor.size} bytes is too large for what it is`,
          {
            place: { url: `${name}@${descriptor.digest}` },
          },
        );
      const chunks: Uint8Array[] = [];
      for await (const chunk of readBlob(repository, descriptor)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
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
