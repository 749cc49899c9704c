/**
 * gzip (RFC 1952) in parallel, and back.
 *
 * Compression cuts the input into blocks of fixed size, deflates each on the thread pool with the 32 KiB before it as
 * its dictionary, ends each on a byte boundary, and joins the pieces into one member (the idea of Adler's pigz). Where the
 * cuts are depends on the input alone, so the bytes are the same whatever the number of threads.
 */
import type { Hash } from "node:crypto";
import { constants, crc32, createGunzip, deflateRaw, deflateRawSync, type ZlibOptions } from "node:zlib";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** How to compress. */
export interface GzipOptions {
  /** zlib's level, 1 to 9; 6 by default. Decides the bytes. */
  readonly level?: number;
  /** Bytes of input per piece; 256 KiB by default. Decides the bytes. */
  readonly blockSize?: number;
  /**
   * Blocks deflated at the same time on the thread pool; 0: in the calling thread, one after the other (for worker
   * threads that each have a package of their own). Does not decide the bytes. By default 4, the size of Node's pool.
   */
  readonly concurrency?: number;
}

/** Window of deflate: what of the earlier block the next one can refer to. */
const windowSize = 32 * 1024;
/** The last deflate block: static codes, nothing in it. */
const finalBlock = Buffer.of(0x03, 0x00);

/**
 * Compresses a stream to one gzip member (an empty stream to a member of nothing).
 * @param chunks in pieces of any size; where they are cut does not change the result
 * @returns the member, in pieces; not to be reused after it was handed out
 */
export async function* gzipStream(
  chunks: AsyncIterable<Uint8Array>,
  options: GzipOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const level = options.level ?? 6;
  const concurrency = options.concurrency ?? 4;
  const deflate = concurrency === 0 ? deflateHere : deflateOnPool;
  const queue: Promise<Buffer>[] = [];
  let checksum = 0;
  let length = 0;
  let previous: Buffer | undefined;
  yield gzipHeader(level);
  try {
    for await (const block of blocksOf(chunks, options.blockSize ?? 256 * 1024)) {
      checksum = crc32(block, checksum);
      length += block.length;
      queue.push(deflate(block, level, previous));
      previous = dictionaryOf(block, previous);
      if (queue.length > concurrency) yield await (queue.shift() as Promise<Buffer>);
    }
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield await next;
  } finally {
    // When we stop early the blocks under way finish by themselves; nobody waits for them.
    for (const left of queue) left.catch(() => {});
  }
  const end = Buffer.alloc(10);
  finalBlock.copy(end);
  end.writeUInt32LE(checksum >>> 0, 2);
  end.writeUInt32LE(length % 2 ** 32, 6);
  yield end;
}

/** No name, no time, unknown system: nothing of the machine gets in. */
function gzipHeader(level: number): Buffer {
  const effort = level === 9 ? 2 : level === 1 ? 4 : 0;
  return Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255);
}

function dictionaryOf(block: Buffer, previous: Buffer | undefined): Buffer {
  if (block.length >= windowSize || previous === undefined) return block.subarray(-windowSize);
  return Buffer.concat([previous, block]).subarray(-windowSize);
}

function zlibOptions(block: Buffer, level: number, dictionary: Buffer | undefined): ZlibOptions {
  return {
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    // Room for the whole result, so that a block is one job of the pool: deflate's worst case, and the flush.
    chunkSize: Math.max(64, block.length + (block.length >> 10) + 64),
    ...(dictionary === undefined ? {} : { dictionary }),
  };
}

function deflateOnPool(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflateRaw(block, zlibOptions(block, level, dictionary), (error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

function deflateHere(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  return Promise.resolve(deflateRawSync(block, zlibOptions(block, level, dictionary)));
}

/** Cuts a stream into blocks of `size` bytes, the last one shorter. Blocks are copies. */
async function* blocksOf(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Buffer, void, void> {
  let block = Buffer.allocUnsafe(size);
  let used = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + size - used);
      block.set(piece, used);
      used += piece.length;
      at += piece.length;
      if (used < size) continue;
      yield block;
      block = Buffer.allocUnsafe(size);
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

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
