/** Writing into an S3 bucket: whole objects, large ones in parts. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { CompletedPart, PutObjectCommandOutput } from "@aws-sdk/client-s3";
import { ContentChanged } from "../net/byteStream.ts";
import { TransientFailure, withRetries } from "../net/retry.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import type { Bucket } from "./s3Bucket.ts";
import type { Content, PutCondition, PutOptions, PutResult, StoreWriter } from "./store.ts";

/** Smallest piece of an upload in several parts, in bytes (S3 takes none below 5 MiB but the last). */
const smallestPart = 16 * 2 ** 20;
/** S3 takes no more parts than this. */
const mostParts = 10_000;
/** Parts under way at a time, each in memory. */
const partsAtOnce = 3;

/** Name of an object that is begun, and never made. */
const trialName = "spacktainers-may-write";

/** Where an object goes. */
interface Target {
  readonly path: string;
  readonly object: { readonly Bucket: string; readonly Key: string };
  readonly options: PutOptions;
}

/** The headers of a condition (RFC 9110, section 13.1). */
interface ConditionHeaders {
  readonly IfMatch?: string;
  readonly IfNoneMatch?: string;
}

/** A server that does not know conditions for writing says so, or takes no notice. */
class ConditionsUnknown extends Error {}

/** What writes into a bucket. Each part is signed with its SHA-256, which the server checks. */
export function openS3Writer(bucket: Bucket): StoreWriter {
  const { policy, locate, send, key, name: Bucket } = bucket;

  /** The version that an object has; undefined when it is not there. */
  async function versionOf({ path, object }: Target): Promise<string | undefined> {
    return withRetries(policy, locate(path), () =>
      send(path, (sdk, client, abort) => client.send(new sdk.HeadObjectCommand(object), abort)),
    ).then(
      ({ ETag }) => ETag,
      (thrown) => {
        // A user who may not list the bucket gets "access denied" for what is not there.
        if (thrown instanceof SpacktainersError && ["NOT_FOUND", "ACCESS_DENIED"].includes(thrown.code))
          return undefined;
        throw thrown;
      },
    );
  }

  async function putWhole(target: Target, bytes: Uint8Array, headers: ConditionHeaders): Promise<PutResult> {
    const { path, object, options } = target;
    let attempts = 0;
    try {
      const { ETag } = await withRetries(policy, locate(path), () => {
        attempts++;
        return send(
          path,
          (sdk, client, abort): Promise<PutObjectCommandOutput> =>
            client.send(
              new sdk.PutObjectCommand({
                ...object,
                ...headers,
                Body: bytes,
                ContentType: options.mediaType,
                CacheControl: options.cacheControl,
              }),
              abort,
            ),
        ).catch(unknownConditions(headers));
      });
      options.onBytes?.(bytes.length);
      return { written: true, version: ETag };
    } catch (thrown) {
      if (!(thrown instanceof ContentChanged) && !isMissing(thrown, headers)) throw thrown;
      // An attempt whose answer was lost may have been the one that changed it.
      const version = attempts > 1 ? await versionOf(target) : undefined;
      const own = `"${createHash("md5").update(bytes).digest("hex")}"`;
      return version === own ? { written: true, version } : { written: false };
    }
  }

  async function putParts(
    target: Target,
    read: (start: number, length: number) => Promise<Uint8Array>,
    size: number,
    headers: ConditionHeaders,
  ): Promise<PutResult> {
    const { path, object, options } = target;
    const partSize = Math.max(smallestPart, Math.ceil(size / mostParts));
    const { UploadId } = await withRetries(policy, locate(path), () =>
      send(path, (sdk, client, abort) =>
        client.send(
          new sdk.CreateMultipartUploadCommand({
            ...object,
            ContentType: options.mediaType,
            CacheControl: options.cacheControl,
          }),
          abort,
        ),
      ),
    );
    if (UploadId === undefined)
      throw new SpacktainersError("NETWORK", "S3 gave the upload no name", { place: { url: locate(path) } });
    const upload = { ...object, UploadId };
    try {
      const numbers = Array.from({ length: Math.ceil(size / partSize) }, (_, index) => index + 1);
      const Parts = await mapConcurrently(
        numbers,
        partsAtOnce,
        async (PartNumber): Promise<CompletedPart> => {
          const start = (PartNumber - 1) * partSize;
          const Body = await read(start, Math.min(partSize, size - start));
          const { ETag } = await withRetries(policy, locate(path), () =>
            send(path, (sdk, client, abort) =>
              client.send(new sdk.UploadPartCommand({ ...upload, PartNumber, Body }), abort),
            ),
          );
          options.onBytes?.(Body.length);
          return { PartNumber, ETag };
        },
      );
      const { ETag } = await withRetries(policy, locate(path), () =>
        send(path, (sdk, client, abort) =>
          client.send(
            new sdk.CompleteMultipartUploadCommand({ ...upload, ...headers, MultipartUpload: { Parts } }),
            abort,
          ),
        ).catch(unknownConditions(headers)),
      );
      return { written: true, version: ETag };
    } catch (thrown) {
      // Parts of an unfinished upload are kept, and paid for, until somebody removes them. Not aborted with the rest.
      await send(path, (sdk, client) => client.send(new sdk.AbortMultipartUploadCommand(upload))).catch(
        () => undefined,
      );
      if (thrown instanceof ContentChanged || isMissing(thrown, headers)) return { written: false };
      throw thrown;
    }
  }

  async function write(target: Target, content: Content, headers: ConditionHeaders): Promise<PutResult> {
    if (content instanceof Uint8Array) return putWhole(target, content, headers);
    const { size } = content;
    const file = await open(content.path).catch((thrown) => {
      throw asSpacktainersError(thrown, { file: content.path });
    });
    try {
      const read = (start: number, length: number): Promise<Uint8Array> =>
        readPiece(file, content.path, start, length);
      return size <= smallestPart
        ? await putWhole(target, await read(0, size), headers)
        : await putParts(target, read, size, headers);
    } finally {
      await file.close();
    }
  }

  return {
    async put(path, content, options = {}) {
      const target: Target = { path, object: { Bucket, Key: key(path) }, options };
      const { condition } = options;
      try {
        // Asked first: not every server knows conditions, and nothing is sent in vain.
        if (condition !== undefined && !holds(condition, await versionOf(target))) return { written: false };
        return await write(target, content, headersOf(condition)).catch((thrown) => {
          if (thrown instanceof ConditionsUnknown) return write(target, content, {});
          throw thrown;
        });
      } catch (thrown) {
        throw thrown instanceof TransientFailure ? thrown.final : thrown;
      }
    },
    async delete(path) {
      await withRetries(policy, locate(path), () =>
        send(path, (sdk, client, abort) =>
          client.send(new sdk.DeleteObjectCommand({ Bucket, Key: key(path) }), abort),
        ),
      ).catch((thrown) => {
        if (!(thrown instanceof SpacktainersError) || thrown.code !== "NOT_FOUND") throw thrown;
      });
    },
    async expectWritable() {
      // It takes the right to put objects, and no object comes of it, nor a version of one.
      const object = { Bucket, Key: key(trialName) };
      const { UploadId } = await withRetries(policy, locate(trialName), () =>
        send(trialName, (sdk, client, abort) =>
          client.send(new sdk.CreateMultipartUploadCommand(object), abort),
        ),
      );
      if (UploadId === undefined) return;
      // Whoever may put may not always abort; an upload without parts costs nothing.
      await send(trialName, (sdk, client) =>
        client.send(new sdk.AbortMultipartUploadCommand({ ...object, UploadId })),
      ).catch(() => undefined);
    },
  };
}

function holds(condition: PutCondition, version: string | undefined): boolean {
  return condition === "absent" ? version === undefined : version === condition.version;
}

function headersOf(condition: PutCondition | undefined): ConditionHeaders {
  if (condition === undefined) return {};
  return condition === "absent" ? { IfNoneMatch: "*" } : { IfMatch: condition.version };
}

/** For `catch`: the answer of a server that does not know what was asked. */
function unknownConditions(headers: ConditionHeaders): (thrown: unknown) => never {
  return (thrown) => {
    const conditional = headers.IfMatch !== undefined || headers.IfNoneMatch !== undefined;
    const final = thrown instanceof TransientFailure ? thrown.final : thrown;
    if (conditional && final instanceof SpacktainersError && /\b501\b|NotImplemented/.test(final.message))
      throw new ConditionsUnknown();
    throw thrown;
  };
}

/** An object that is to have a version, and is not there any more. */
function isMissing(thrown: unknown, headers: ConditionHeaders): boolean {
  return headers.IfMatch !== undefined && thrown instanceof SpacktainersError && thrown.code === "NOT_FOUND";
}

async function readPiece(file: FileHandle, path: string, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let have = 0; have < length; ) {
    const { bytesRead } = await file.read(bytes, have, length - have, start + have);
    if (bytesRead === 0)
      throw new SpacktainersError("IO", "the file became shorter while it was being sent", {
        place: { file: path },
      });
    have += bytesRead;
  }
  return bytes;
}
