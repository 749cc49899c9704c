/** Blobs of a repository as files: their paths are their digests. */
import { downloadBytes } from "../../../net/download.ts";
import { withRetries } from "../../../net/retry.ts";
import { blobOpener, headBlob } from "../../../registry/blobs.ts";
import type { FileSource } from "../../../store/store.ts";
import { type Digest, parseDigest } from "../../../util/digest.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import type { OciPlace } from "./ociPlace.ts";

/** The blobs of a repository. Where a path is a tag, it can be named, and no more. */
export function openOciFiles({ repository, url }: OciPlace): FileSource {
  const { policy, origin } = repository.session;
  const locate = (path: string): string => `${url}${parseDigest(path) === undefined ? ":" : "@"}${path}`;
  const digestAt = (path: string): Digest => {
    const digest = parseDigest(path);
    if (digest !== undefined) return digest;
    throw new SpacktainersError("INTERNAL", `no digest: ${path.slice(0, 200)}`);
  };
  const sizeOf = async (path: string): Promise<number> => {
    const facts = await headBlob(repository, digestAt(path));
    if (facts?.size !== undefined) return facts.size;
    throw new SpacktainersError("NOT_FOUND", "the registry does not have this file", {
      place: { url: locate(path) },
    });
  };
  return {
    localFile: () => undefined,
    locate,
    async stat(path) {
      const facts = await headBlob(repository, digestAt(path));
      return facts === undefined ? undefined : { size: facts.size, version: path };
    },
    async getRange(path, start, length) {
      const size = await sizeOf(path);
      if (length <= 0 || start >= size) return new Uint8Array();
      const open = blobOpener(repository, { digest: digestAt(path), size });
      return withRetries(policy, locate(path), async () => {
        const chunks: Uint8Array[] = [];
        let have = 0;
        const { body } = await open(start, undefined);
        for await (const chunk of body) {
          chunks.push(chunk.subarray(0, length - have));
          have += chunk.length;
          if (have >= length) break;
        }
        return Buffer.concat(chunks);
      });
    },
    async download(path, destination, options) {
      const digest = digestAt(path);
      const size = options.expectedSize ?? (await sizeOf(path));
      const open = blobOpener(repository, { digest, size });
      return downloadBytes(
        `${origin}/${digest}`,
        destination,
        { open, policy },
        {
          ...options,
          expectedDigest: options.expectedDigest ?? digest,
          expectedSize: size,
        },
      );
    },
  };
}
