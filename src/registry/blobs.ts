/** Reading blobs: whether they are there, as a stream, into a file. Everything read is verified. */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { damagedImage } from "../archive/oci/parse.ts";
import { ContentChanged, continuedBytes, type OpenBytes } from "../net/byteStream.ts";
import { downloadBytes } from "../net/download.ts";
import { contentLength } from "../net/exchange.ts";
import { strangeAnswer } from "../net/failure.ts";
import { withRetries } from "../net/retry.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { runTask } from "../util/events.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { redactUrl } from "../util/redact.ts";
import type { ImageRepository } from "./registry.ts";
import type { RegistryRequest } from "./session.ts";

/** A blob by its digest and size, as in a descriptor. */
export interface BlobId {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What a registry says of a blob it has. */
export interface BlobStatus {
  /** Bytes; undefined when it does not say. */
  readonly size: number | undefined;
}

/**
 * Whether a repository has a blob.
 *
 * @returns undefined when it does not
 * @throws ACCESS_DENIED, NETWORK
 */
export async function headBlob(repository: ImageRepository, digest: Digest): Promise<BlobStatus | undefined> {
  const answer = await repository.session.send({
    ...blobRequest(repository, digest),
    method: "HEAD",
    expected: [404, 410],
  });
  await answer.discard();
  if (answer.status === 404 || answer.status === 410) return undefined;
  const named = answer.header("docker-content-digest");
  if ((named !== undefined && named !== digest) || /^text\/html\b/i.test(answer.header("content-type") ?? ""))
    throw new SpacktainersError("NETWORK", "the answer does not show that the registry has the blob", {
      place: { url: redactUrl(answer.url) },
      hint: strangeAnswer,
    });
  return { size: contentLength(answer) };
}

/**
 * Which of these blobs the repository has.
 *
 * @param concurrency requests at a time; default 8
 */
export async function findBlobs(
  repository: ImageRepository,
  digests: Iterable<Digest>,
  concurrency = 8,
): Promise<ReadonlySet<Digest>> {
  const wanted = [...new Set(digests)];
  const found = await mapConcurrently(wanted, concurrency, async (digest) => headBlob(repository, digest));
  return new Set(wanted.filter((_, index) => found[index] !== undefined));
}

/**
 * A blob as a stream, continued where a connection breaks. What was yielded is right only once the stream has ended
 * without an error.
 *
 * @throws NOT_FOUND; CHECKSUM_MISMATCH when size or digest differ; ACCESS_DENIED, NETWORK
 */
export async function* readBlob(
  repository: ImageRepository,
  { digest, size }: BlobId,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { policy, origin } = repository.session;
  const request = blobRequest(repository, digest);
  const url = origin + request.url;
  const open = blobOpener(repository, { digest, size });
  const first = await withRetries(policy, url, () => open(0, undefined));
  const hash = createHash("sha256");
  let length = 0;
  try {
    for await (const chunk of continuedBytes(url, first, {
      open,
      policy,
      limits: { maxBytes: size, verified: true },
    })) {
      hash.update(chunk);
      length += chunk.length;
      yield chunk;
    }
  } catch (thrown) {
    throw thrown instanceof ContentChanged ? mismatch(url, "changed while it was read") : thrown;
  }
  if (length !== size) throw mismatch(url, `has ${length} bytes, not ${size}`);
  const actual = digestOfHex(hash.digest("hex"));
  if (actual !== digest) throw mismatch(url, `has ${actual}, not ${digest}`);
}

/**
 * A small blob, whole.
 *
 * @param most bytes that it may have
 * @throws ARCHIVE_INVALID when it is larger; as {@link readBlob}
 */
export async function readBlobBytes(
  repository: ImageRepository,
  blob: BlobId,
  most: number,
): Promise<Buffer> {
  if (blob.size > most)
    throw new SpacktainersError("ARCHIVE_INVALID", `a document of ${blob.size} bytes is too large`, {
      place: { url: redactUrl(repository.session.origin + blobRequest(repository, blob.digest).url) },
      hint: damagedImage,
    });
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBlob(repository, blob)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface DownloadBlobOptions {
  /** What it is, for people; default its digest. */
  readonly label?: string;
  /** Where unfinished downloads lie; default: beside the destination. */
  readonly partialDirectory?: string;
}

/**
 * Downloads a blob to a file, which appears whole and right or not at all; a later run continues where this one was stopped.
 *
 * @throws as {@link readBlob}
 */
export async function downloadBlob(
  repository: ImageRepository,
  blob: BlobId,
  destination: string,
  options: DownloadBlobOptions = {},
): Promise<void> {
  const { policy, origin } = repository.session;
  const url = origin + blobRequest(repository, blob.digest).url;
  const label = options.label ?? blob.digest;
  await runTask(policy.emit, { kind: "pull", label, bytes: blob.size }, async ({ progress }) => {
    await downloadBytes(
      url,
      destination,
      { open: blobOpener(repository, blob), policy },
      {
        expectedDigest: blob.digest,
        expectedSize: blob.size,
        partialDirectory: options.partialDirectory ?? dirname(destination),
        onBytes: progress,
      },
    );
  });
}

/** A blob opened at offsets; one that announces another size is not begun. */
export function blobOpener(repository: ImageRepository, { digest, size }: BlobId): OpenBytes {
  const request = blobRequest(repository, digest);
  const url = repository.session.origin + request.url;
  return repository.session.opener(request, size, (announced) =>
    mismatch(url, `has ${announced} bytes, not ${size}`),
  );
}

function blobRequest(
  repository: ImageRepository,
  digest: Digest,
): Pick<RegistryRequest, "url" | "access" | "what"> {
  return {
    url: `/v2/${repository.path}/blobs/${digest}`,
    access: { repository, actions: "pull" },
    what: `the blob ${digest}`,
  };
}

function mismatch(url: string, what: string): SpacktainersError {
  return new SpacktainersError(
    "CHECKSUM_MISMATCH",
    `the registry's blob is not what was asked for: it ${what}`,
    {
      place: { url: redactUrl(url) },
      hint: "the registry is damaged or malicious; spacktainers used none of its answer",
    },
  );
}
