/**
 * Compression of streams in parallel. The input is cut into blocks of fixed size, each of which becomes a gzip member or a
 * zstd frame of its own; one after the other they are a valid stream again (RFC 1952, 2.2; RFC 8878, 3). Where the cuts are
 * depends on the input alone, so the bytes are the same whatever the number of threads.
 */
import { usableThreads } from "../util/addressSpace.ts";
import { openBlockCompressor } from "./blockCompressor.ts";
import { type CompressionThreads, openCompressionThreads } from "./compressionThreads.ts";
import { type CompressionSettings, compressionSettings } from "./layerCompression.ts";

/** How to compress. */
export interface CompressOptions {
  /** Decides the bytes. By default gzip at its usual level. */
  readonly compression?: CompressionSettings | undefined;
  /** Bytes of input per block; 1 MiB by default. Decides the bytes. */
  readonly blockSize?: number;
  /**
   * Threads that help with a stream that turns out to be long; 0: none (for worker threads that each have a package of
   * their own). Does not decide the bytes. By default one for each other core.
   */
  readonly concurrency?: number;
}

/** Least size, in bytes, of a stream that is worth starting threads for. */
const longStream = 16 * 2 ** 20;

/**
 * Compresses a stream; an empty one to nothing.
 * @param chunks in pieces of any size; where they are cut does not change the result
 * @returns the compressed bytes, in pieces; not to be reused after they were handed out
 */
export async function* compressStream(
  chunks: AsyncIterable<Uint8Array>,
  options: CompressOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const settings = options.compression ?? compressionSettings();
  const concurrency = options.concurrency ?? Math.max(1, usableThreads() - 1);
  const compress = await openBlockCompressor(settings);
  const queue: Promise<Uint8Array>[] = [];
  let threads: CompressionThreads | undefined;
  let length = 0;
  try {
    for await (const block of blocksOf(chunks, options.blockSize ?? 2 ** 20, () => threads === undefined)) {
      length += block.length;
      if (threads === undefined) {
        yield compress(block);
        if (concurrency > 0 && length >= longStream) threads = openCompressionThreads(settings, concurrency);
        continue;
      }
      queue.push(threads.compress(block));
      // One more than there are threads, so that none waits for us.
      if (queue.length > concurrency + 1) yield await (queue.shift() as Promise<Uint8Array>);
    }
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield await next;
  } finally {
    // When we stop early nobody waits for the blocks under way.
    for (const left of queue) left.catch(() => {});
    await threads?.close();
  }
}

/** Compresses a few bytes at once, to one gzip member or zstd frame. */
export async function compressBytes(bytes: Uint8Array, settings: CompressionSettings): Promise<Uint8Array> {
  return (await openBlockCompressor(settings))(bytes);
}

/**
 * Cuts a stream into blocks of `size` bytes, the last one shorter.
 * @param reuse whether the block just handed out is done with and its memory can have the next one; asked once for each
 */
async function* blocksOf(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
  reuse: () => boolean,
): AsyncGenerator<Buffer<ArrayBuffer>, void, void> {
  let block: Buffer<ArrayBuffer> | undefined;
  let used = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      block ??= Buffer.allocUnsafeSlow(size);
      const piece = chunk.subarray(at, at + size - used);
      block.set(piece, used);
      used += piece.length;
      at += piece.length;
      if (used < size) continue;
      const free = reuse();
      yield block;
      if (!free) block = undefined;
      used = 0;
    }
  }
  if (block !== undefined && used > 0) yield block.subarray(0, used);
}

/**
 * A document about layers as one line of JSON, compressed by gzip: the same bytes on every machine, for its digest is part of
 * images. Several of them one after the other are gzip again, with a line for each.
 */
export function gzipJsonLine(record: object): Promise<Uint8Array> {
  return compressBytes(Buffer.from(`${JSON.stringify(record)}\n`, "utf8"), compressionSettings("gzip", 1));
}
