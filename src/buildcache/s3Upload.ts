/** Files to an S3 bucket, of Amazon's or of any other server that speaks its protocol. */
import { open } from "node:fs/promises";
import type { CompletedPart, S3Client } from "@aws-sdk/client-s3";
import { type RetryPolicy, TransientFailure, withRetries } from "../net/retry.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { openConnection, prefixOf, s3Failure } from "./s3Store.ts";
import type { CacheSource } from "./types.ts";

/** Smallest piece of an upload in several parts, in bytes (S3 takes none below 5 MiB but the last). */
const smallestPart = 16 * 2 ** 20;
/** S3 takes no more parts than this. */
const mostParts = 10_000;
/** Parts under way at a time, each in memory. */
const partsAtOnce = 3;

/** What an upload takes. */
export interface S3Upload {
  /** `s3://BUCKET/KEY`. */
  readonly url: string;
  /** How to reach the server; default by the SDK's usual chain. */
  readonly s3?: CacheSource["s3"];
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly mediaType: string;
  /** Told the bytes that arrived since the last call. */
  readonly onBytes: (bytes: number) => void;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Puts a file into a bucket. The object is there as a whole or not at all; what was sent of an upload that fails is removed.
 * Each part is signed with its SHA-256, which the server checks.
 *
 * @throws SpacktainersError USAGE for a URL without a key; CACHE_UNAVAILABLE when there is no such bucket; ACCESS_DENIED,
 *   NETWORK, INTERRUPTED; IO when the file changes meanwhile
 */
export async function uploadToS3(upload: S3Upload): Promise<void> {
  const { url, signal, emit, size } = upload;
  const parsed = new URL(url);
  const target = { Bucket: parsed.hostname, Key: prefixOf(parsed) };
  if (target.Bucket === "" || target.Key === "")
    throw new SpacktainersError("USAGE", `${url} does not name an object`, { hint: "s3://BUCKET/KEY" });
  const connection = openConnection({ url, keys: [], unsigned: true, s3: upload.s3 ?? {} }, signal);
  const policy: RetryPolicy = { retries: 4, delayMs: 300, emit, signal };
  const { sdk, client } = await connection();
  const send = <T>(run: (client: S3Client, abort: object) => Promise<T>): Promise<T> =>
    withRetries(policy, url, () =>
      run(client, { abortSignal: signal }).catch((thrown) => {
        throw s3Failure(thrown, url, target.Bucket, signal);
      }),
    );
  const file = await open(upload.path).catch((thrown) => {
    throw asSpacktainersError(thrown, { file: upload.path });
  });
  const read = async (start: number, length: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafe(length);
    for (let have = 0; have < length; ) {
      const { bytesRead } = await file.read(bytes, have, length - have, start + have);
      if (bytesRead === 0)
        throw new SpacktainersError("IO", "the file became shorter while it was being sent", {
          place: { file: upload.path },
        });
      have += bytesRead;
    }
    return bytes;
  };
  try {
    if (size <= smallestPart) {
      const Body = await read(0, size);
      await send((one, abort) =>
        one.send(new sdk.PutObjectCommand({ ...target, Body, ContentType: upload.mediaType }), abort),
      );
      upload.onBytes(size);
      return;
    }
    const partSize = Math.max(smallestPart, Math.ceil(size / mostParts));
    const { UploadId } = await send((one, abort) =>
      one.send(new sdk.CreateMultipartUploadCommand({ ...target, ContentType: upload.mediaType }), abort),
    );
    if (UploadId === undefined)
      throw new SpacktainersError("NETWORK", "S3 gave the upload no name", { place: { url } });
    try {
      const numbers = Array.from({ length: Math.ceil(size / partSize) }, (_, index) => index + 1);
      const Parts = await mapConcurrently(
        numbers,
        partsAtOnce,
        async (PartNumber): Promise<CompletedPart> => {
          const start = (PartNumber - 1) * partSize;
          const Body = await read(start, Math.min(partSize, size - start));
          const { ETag } = await send((one, abort) =>
            one.send(new sdk.UploadPartCommand({ ...target, UploadId, PartNumber, Body }), abort),
          );
          upload.onBytes(Body.length);
          return { PartNumber, ...(ETag === undefined ? {} : { ETag }) };
        },
      );
      await send((one, abort) =>
        one.send(
          new sdk.CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }),
          abort,
        ),
      );
    } catch (thrown) {
      // Parts of an unfinished upload are kept, and paid for, until somebody removes them. Not aborted with the rest.
      await client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId })).catch(() => undefined);
      throw thrown;
    }
  } catch (thrown) {
    throw thrown instanceof TransientFailure ? thrown.final : thrown;
  } finally {
    await file.close();
    await connection.close();
  }
}
