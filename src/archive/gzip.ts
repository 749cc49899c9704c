/** Reading gzip (RFC 1952). What compresses is in `compressStream.ts`. */
import type { Hash } from "node:crypto";
import { createGunzip } from "node:zlib";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** Passes a stream on and feeds what passes to `hash`. */
export async function* hashing(
  chunks: AsyncIterable<Uint8Array>,
  hash: Hash,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

/** How to decompress. */
export interface GunzipOptions {
  /** Where the data is from, for error messages. */
  readonly where?: Place;
  /** Refuse to give more bytes than this. */
  readonly maxBytes?: number;
}

/**
 * Decompresses gzip data of one or several members.
 * @returns the content in pieces
 * @throws SpacktainersError ARCHIVE_INVALID: not gzip, damaged, cut off, followed by something else (zeros are let pass),
 *   or larger than `maxBytes`
 */
export async function* gunzipStream(
  chunks: AsyncIterable<Uint8Array>,
  options: GunzipOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const where = options.where ?? {};
  const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  let fed = 0;
  let sourceError: unknown;
  let tail: Buffer = Buffer.alloc(0);
  const feed = async (): Promise<void> => {
    try {
      for await (const chunk of chunks) {
        if (gunzip.destroyed) return;
        fed += chunk.length;
        tail = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        if (!gunzip.write(chunk)) await drained(gunzip);
      }
      gunzip.end();
    } catch (error) {
      sourceError = error;
      gunzip.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const feeding = feed();
  let total = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > maxBytes)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `the gzip data unpacks to more than ${maxBytes} bytes`,
          {
            place: where,
          },
        );
      yield chunk;
    }
    if (fed === 0) throw new SpacktainersError("ARCHIVE_INVALID", "the gzip data is empty", { place: where });
    // zlib stops in silence at what is not another member.
    const left = fed - gunzip.bytesWritten;
    if (left > 0 && !(left <= tail.length && tail.subarray(-left).every((byte) => byte === 0)))
      throw new SpacktainersError("ARCHIVE_INVALID", "the gzip data is followed by something else", {
        place: where,
      });
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    if (error instanceof SpacktainersError) throw error;
    throw new SpacktainersError("ARCHIVE_INVALID", "the gzip data is damaged or cut off", {
      place: where,
      cause: error,
    });
  } finally {
    gunzip.destroy();
    await feeding;
  }
}

function drained(stream: NodeJS.WritableStream & { readonly destroyed: boolean }): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener("drain", done);
      stream.removeListener("close", done);
      resolve();
    };
    if (stream.destroyed) resolve();
    stream.once("drain", done);
    stream.once("close", done);
  });
}
