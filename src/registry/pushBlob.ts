/** Blobs into a repository, by the cheapest way there is: they are there, another repository has them, they are sent. */
import type { Digest } from "../util/digest.ts";
import { runTask } from "../util/events.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import type { BlobSource } from "./blobSource.ts";
import { headBlob } from "./blobs.ts";
import type { RepositoryName } from "./reference.ts";
import type { ImageRepository } from "./registry.ts";
import { beginUpload, cancelUpload, completeUpload } from "./upload.ts";

/** How a blob came to be in a repository. */
export type BlobOutcome = "present" | "mounted" | "uploaded";

export interface PushBlobOptions {
  /** Another repository of the same registry that has the blob: it is taken from there where the registry does that. */
  readonly mountFrom?: RepositoryName | undefined;
  /** Do not ask whether it is there: the caller knows that it is not. */
  readonly missing?: boolean | undefined;
  /** Send pieces of this size, in bytes; default one piece, and smaller ones once a connection has broken. */
  readonly pieceBytes?: number | undefined;
}

/**
 * Makes sure that a repository has a blob. Broken connections are survived: the upload continues from what the registry has,
 * or begins again where the registry kept nothing. A blob that is pushed there already at the same time is not pushed twice.
 *
 * @throws CHECKSUM_MISMATCH when the registry received or stored something else; ACCESS_DENIED, REGISTRY_REFUSED, NETWORK,
 *   INTERRUPTED; what the source throws
 */
export async function pushBlob(
  repository: ImageRepository,
  source: BlobSource,
  options: PushBlobOptions = {},
): Promise<BlobOutcome> {
  const { emit } = repository.session.policy;
  const task = { kind: "push", label: source.label ?? source.digest, bytes: source.size } as const;
  return runTask(emit, task, async ({ progress, reused }) => {
    const outcome = await once(repository, source.digest, () => push(repository, source, options, progress));
    if (outcome !== "uploaded") reused();
    return outcome;
  });
}

/** Pushes under way in this process, by registry, repository and digest. */
const underWay = new Map<string, Promise<BlobOutcome>>();

/** One push of a blob at a time; who comes later takes what the first one did, or does it when that failed. */
async function once(
  { session, path }: ImageRepository,
  digest: Digest,
  work: () => Promise<BlobOutcome>,
): Promise<BlobOutcome> {
  const key = `${session.origin} ${path} ${digest}`;
  for (let other = underWay.get(key); other !== undefined; other = underWay.get(key))
    if (await succeeds(other)) return "present";
  const own = work();
  underWay.set(key, own);
  try {
    return await own;
  } finally {
    underWay.delete(key);
  }
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function push(
  repository: ImageRepository,
  source: BlobSource,
  options: PushBlobOptions,
  onBytes: (bytes: number) => void,
): Promise<BlobOutcome> {
  if (options.missing !== true && (await headBlob(repository, source.digest)) !== undefined) return "present";
  const upload = await beginUpload(repository, source.digest, mountable(repository, options.mountFrom));
  if (upload === undefined) return "mounted";
  await completeUpload(repository, source, upload, { pieceBytes: options.pieceBytes, onBytes });
  return "uploaded";
}

/**
 * Takes a blob from another repository of the same registry, without its bytes being moved.
 *
 * @returns false when the registry does not do that, or the other repository does not have the blob
 * @throws ACCESS_DENIED, NETWORK
 */
export async function mountBlob(
  repository: ImageRepository,
  digest: Digest,
  from: RepositoryName,
): Promise<boolean> {
  const source = mountable(repository, from);
  if (source === undefined) return (await headBlob(repository, digest)) !== undefined;
  const upload = await beginUpload(repository, digest, source);
  if (upload === undefined) return true;
  await cancelUpload(repository, digest, upload);
  return false;
}

export interface PushBlobsOptions {
  /** Blobs at a time; default 4. */
  readonly concurrency?: number | undefined;
  /** Where a blob could be mounted from. */
  readonly mountFrom?: ((source: BlobSource) => RepositoryName | undefined) | undefined;
  readonly pieceBytes?: number | undefined;
}

/**
 * Makes sure that a repository has all these blobs, several at a time; a digest that occurs twice is pushed once. After a
 * failure no further blob is begun; the same call continues from what has arrived.
 *
 * @returns how each came there, by digest
 * @throws as {@link pushBlob}
 */
export async function pushBlobs(
  repository: ImageRepository,
  sources: Iterable<BlobSource>,
  options: PushBlobsOptions = {},
): Promise<ReadonlyMap<Digest, BlobOutcome>> {
  const unique = [...new Map([...sources].map((source) => [source.digest, source])).values()];
  const outcomes = await mapConcurrently(unique, options.concurrency ?? 4, async (source) => {
    const mountFrom = options.mountFrom?.(source);
    const outcome = await pushBlob(repository, source, { mountFrom, pieceBytes: options.pieceBytes });
    return [source.digest, outcome] as const;
  });
  return new Map(outcomes);
}

/** Blobs can be mounted from other repositories of the same registry only. */
function mountable(
  repository: ImageRepository,
  from: RepositoryName | undefined,
): RepositoryName | undefined {
  return from === undefined || from.host !== repository.host || from.path === repository.path
    ? undefined
    : from;
}
