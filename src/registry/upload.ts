/**
 * Uploading one blob (OCI distribution specification, "Pushing Blobs"): begun by POST, sent in one PUT or in pieces by
 * PATCH, and after a broken connection continued from what the registry has.
 */
import type { HttpAnswer } from "../net/exchange.ts";
import { strangeAnswer, transportFailure } from "../net/failure.ts";
import { pauseBeforeRetry, TransientFailure } from "../net/retry.ts";
import { type Digest, digestOf, parseDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { acceptUrl } from "./address.ts";
import type { Access } from "./authorizer.ts";
import { type BlobSource, sliceOf } from "./blobSource.ts";
import { headBlob } from "./blobs.ts";
import { formatRepository, type RepositoryName } from "./reference.ts";
import type { ImageRepository } from "./registry.ts";
import { RegistryRefusal } from "./registryError.ts";
import type { RegistryRequest } from "./session.ts";

/** Blobs up to this size are sent in one PUT, in bytes: sending one again costs no more than to ask how far it got. */
export const singlePutBytes = 8 * 2 ** 20;
/** Size of pieces once a connection has broken, in bytes. */
export const pieceBytes = 32 * 2 ** 20;
/** Progress after which a broken connection counts as a new failure rather than one more of the same, in bytes. */
const progressBytes = 65_536;
/** Time for a registry to take a piece once it is sent, in milliseconds. */
const pieceTimeoutMs = 120_000;
/** The same for the end: it may have to read, or to move, the whole blob before it answers. */
const commitTimeoutMs = 600_000;

export interface UploadOptions {
  /** Send pieces of this size, in bytes. Default: one piece; after a broken connection {@link pieceBytes}. */
  readonly pieceBytes?: number | undefined;
  readonly onBytes: (bytes: number) => void;
}

/** An upload that the registry has begun. */
export interface OpenUpload {
  /** Where the next request goes. */
  readonly location: string;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** Least size of a piece that is not the last, in bytes. */
  readonly leastPiece: number;
}

/**
 * Begins an upload; with `mountFrom`, asks first to take the blob from another repository of the registry.
 *
 * @returns undefined when the blob was mounted
 */
export async function beginUpload(
  repository: ImageRepository,
  digest: Digest,
  mountFrom: RepositoryName | undefined,
): Promise<OpenUpload | undefined> {
  const mount =
    mountFrom === undefined
      ? ""
      : `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(mountFrom.path)}`;
  const url = `/v2/${repository.path}/blobs/uploads/${mount}`;
  const request: RegistryRequest = {
    ...common(repository, { digest }, mountFrom),
    method: "POST",
    url,
    headers: { "content-length": "0" },
  };
  const answer = await repository.session.send(request).catch((thrown) => {
    // Where the other repository may not be read there is nothing to mount, but that is no reason to fail.
    const refused =
      mountFrom !== undefined &&
      thrown instanceof SpacktainersError &&
      ["ACCESS_DENIED", "NOT_FOUND", "REGISTRY_REFUSED"].includes(thrown.code);
    if (refused) return undefined;
    throw thrown;
  });
  if (answer === undefined) return beginUpload(repository, digest, undefined);
  await answer.discard();
  if (answer.status === 201 && mountFrom !== undefined) {
    expectStored(answer, digest);
    return undefined;
  }
  const least = /^\d{1,12}$/.exec(answer.header("oci-chunk-min-length") ?? "")?.[0];
  return { location: locationOf(answer), offset: 0, leastPiece: Number(least ?? 0) };
}

/**
 * Sends the content to an upload and closes it; begins others where the registry gives this one up.
 *
 * @throws CHECKSUM_MISMATCH when the registry received something else; ACCESS_DENIED, REGISTRY_REFUSED, NETWORK, IO
 */
export async function completeUpload(
  repository: ImageRepository,
  source: BlobSource,
  begun: OpenUpload,
  options: UploadOptions,
): Promise<void> {
  const { policy } = repository.session;
  const sent = highWater(options.onBytes);
  let upload = begun;
  let piece = options.pieceBytes;
  let furthest = 0;
  let failures = 0;
  let losses = 0;
  for (;;) {
    try {
      const small = source.size <= singlePutBytes && options.pieceBytes === undefined;
      while (upload.offset < source.size && !(small && upload.offset === 0))
        upload = await sendPiece(repository, upload, { source, piece: piece ?? source.size, sent });
      await close(repository, source, upload, sent);
      return;
    } catch (thrown) {
      const failure = isLost(thrown) ? thrown : transportFailure(thrown, upload.location, policy.signal);
      if (isLost(failure)) {
        if (losses++ >= policy.retries) throw failure;
        // A registry that takes no second piece takes one that is the whole.
        if (upload.offset > 0) piece = options.pieceBytes ?? source.size;
      } else if (failure instanceof TransientFailure) {
        if (upload.offset >= furthest + progressBytes) failures = 0;
        furthest = Math.max(furthest, upload.offset);
        await pauseBeforeRetry(policy, failure, ++failures, upload.location);
        piece ??= pieceBytes;
      } else throw failure;
      const resumed = isLost(failure) ? undefined : await resume(repository, source, upload);
      // What seemed to fail may have been done: only the answer got lost.
      if (resumed === undefined && (await headBlob(repository, source.digest)) !== undefined) return;
      upload = resumed ?? (await begin(repository, source));
    }
  }
}

/** What is sent. */
interface Piece {
  readonly source: BlobSource;
  readonly piece: number;
  readonly sent: (offset: number) => void;
}

/** Sends the next piece by PATCH. */
async function sendPiece(
  repository: ImageRepository,
  upload: OpenUpload,
  { source, piece, sent }: Piece,
): Promise<OpenUpload> {
  const { offset, leastPiece } = upload;
  const end = Math.min(source.size, offset + Math.max(piece, leastPiece));
  const answer = await repository.session.attempt({
    ...common(repository, source),
    method: "PATCH",
    url: upload.location,
    headers: { ...bodyHeaders(end - offset), "content-range": `${offset}-${end - 1}` },
    body: () => sliceOf(source, offset, end, sent),
    answerTimeoutMs: pieceTimeoutMs,
  });
  await answer.discard();
  // A registry that says nothing took all of it.
  if ((receivedBytes(answer) ?? end) !== end) throw new UploadLost(upload.location);
  return { ...upload, location: locationOf(answer, upload.location), offset: end };
}

/** Closes the upload by PUT, with what is missing as its body. */
async function close(
  repository: ImageRepository,
  source: BlobSource,
  { location, offset }: OpenUpload,
  sent: (offset: number) => void,
): Promise<void> {
  // The query may be signed as it is: it is only added to.
  const url = `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(source.digest)}`;
  const answer = await repository.session.attempt({
    ...common(repository, source),
    method: "PUT",
    url,
    headers: bodyHeaders(source.size - offset),
    ...(offset === source.size ? {} : { body: () => sliceOf(source, offset, source.size, sent) }),
    answerTimeoutMs: offset === source.size ? commitTimeoutMs : pieceTimeoutMs,
  });
  await answer.discard();
  expectStored(answer, source.digest);
  if (answer.status === 201) return;
  // Not what a registry says that has stored a blob: does it have it?
  const stored = await headBlob(repository, source.digest);
  if (stored !== undefined && (stored.size ?? source.size) === source.size) return;
  throw new SpacktainersError(
    "NETWORK",
    `the registry ends an upload with HTTP status ${answer.status}, and does not have the blob`,
    { place: { url: redactUrl(answer.url) }, hint: strangeAnswer },
  );
}

/** How far the registry got; undefined when it does not know the upload any more. */
async function resume(
  repository: ImageRepository,
  source: BlobSource,
  upload: OpenUpload,
): Promise<OpenUpload | undefined> {
  const request = { ...common(repository, source), method: "GET", url: upload.location } as const;
  const answer = await repository.session.send(request).catch((thrown) => {
    if (thrown instanceof RegistryRefusal && thrown.code !== "NETWORK") return undefined;
    throw thrown;
  });
  if (answer === undefined) return undefined;
  await answer.discard();
  const offset = receivedBytes(answer);
  if (offset === undefined || offset > source.size) return undefined;
  return { ...upload, location: locationOf(answer, upload.location), offset };
}

/** Gives an upload up, so that the registry need not keep it. */
export async function cancelUpload(
  repository: ImageRepository,
  digest: Digest,
  upload: OpenUpload,
): Promise<void> {
  const request = { ...common(repository, { digest }), method: "DELETE", url: upload.location } as const;
  // It is a courtesy: registries remove old uploads by themselves.
  await repository.session
    .attempt({ ...request, access: { repository, actions: "pull,push" } })
    .then((answer) => answer.discard())
    .catch(() => {});
}

/**
 * Tries whether the registry takes blobs for a repository: begins an upload, and gives it up.
 *
 * @throws ACCESS_DENIED, NOT_FOUND, REGISTRY_REFUSED, NETWORK
 */
export async function expectUploads(repository: ImageRepository): Promise<void> {
  const nothing = digestOf("");
  const upload = await beginUpload(repository, nothing, undefined);
  if (upload !== undefined) await cancelUpload(repository, nothing, upload);
}

async function begin(repository: ImageRepository, source: BlobSource): Promise<OpenUpload> {
  const upload = await beginUpload(repository, source.digest, undefined);
  if (upload === undefined) throw new UploadLost(repository.session.origin);
  return upload;
}

function common(repository: ImageRepository, { digest }: { readonly digest: Digest }, from?: RepositoryName) {
  const access: Access = { repository, actions: "pull,push", from };
  return { access, what: `the upload of ${digest} to ${formatRepository(repository)}` };
}

function bodyHeaders(length: number): Record<string, string> {
  return { "content-type": "application/octet-stream", "content-length": String(length) };
}

/** `Range: 0-LAST`; `0-0` is what registries say of nothing, too. */
function receivedBytes(answer: HttpAnswer): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(answer.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

function locationOf(answer: HttpAnswer, before?: string): string {
  const location = answer.header("location") ?? before;
  if (location === undefined)
    throw new SpacktainersError("NETWORK", "the registry begins an upload but does not say where", {
      place: { url: redactUrl(answer.url) },
      hint: strangeAnswer,
    });
  return acceptUrl(location, answer.url, "a place for an upload");
}

function expectStored(answer: HttpAnswer, digest: Digest): void {
  const stored = parseDigest(answer.header("docker-content-digest") ?? "");
  if (stored === undefined || stored === digest) return;
  throw new SpacktainersError("CHECKSUM_MISMATCH", `the registry stored ${stored}, not ${digest}`, {
    place: { url: redactUrl(answer.url) },
    hint: "the registry is damaged or malicious",
  });
}

/** The registry has no such upload any more, or expects another part of it than the next one. */
class UploadLost extends SpacktainersError {
  constructor(location: string) {
    super("NETWORK", "the registry lost an upload", { place: { url: redactUrl(location) } });
  }
}

function isLost(thrown: unknown): thrown is SpacktainersError {
  if (thrown instanceof UploadLost) return true;
  if (!(thrown instanceof RegistryRefusal)) return false;
  return (
    [404, 410, 416].includes(thrown.status) ||
    ["BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "RANGE_INVALID"].includes(thrown.registryCode)
  );
}

/** Reports only what goes beyond the furthest point reached before: a part sent twice counts once. */
function highWater(onBytes: (bytes: number) => void): (offset: number) => void {
  let highest = 0;
  return (offset) => {
    if (offset <= highest) return;
    onBytes(offset - highest);
    highest = offset;
  };
}
