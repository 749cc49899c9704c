/** Decompression by magic number: gzip by Node's zlib, xz and zstd by libraries without native code. */
import { ReadableStream } from "node:stream/web";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { gunzipStream } from "./gzip.ts";

/** How a stream is compressed; `bzip2`, `lzma` and `compress` are recognised, but not read. */
export type Compression = "none" | "gzip" | "xz" | "zstd" | "bzip2" | "lzma" | "compress";

/** How to decompress. */
export interface DecompressOptions {
  /** Where the data is from, for error messages. */
  readonly where?: Place;
  /** Refuse to give more bytes than this. */
  readonly maxBytes?: number;
}

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lzma", [0x5d, 0x00, 0x00]],
  ["compress", [0x1f, 0x9d]],
];

/** Bytes that {@link compressionOf} wants to see. */
const magicLength = 6;

/** Largest zstd window accepted: what the `zstd` program itself accepts without being asked (2^27). */
const maxZstdWindow = 2 ** 27;

/** How the data that begins with these bytes is compressed; `none` when it has no magic number known here. */
export function compressionOf(head: Uint8Array): Compression {
  for (const [compression, magic] of magics) {
    if (magic.every((byte, at) => head[at] === byte)) return compression;
  }
  return "none";
}

/**
 * Decompresses gzip, xz or zstd data, by its first bytes; passes other data on as it is.
 *
 * xz streams are read one at a time in the whole process (the library has one decoder): do not wait for a second one
 * while reading a first.
 *
 * @param chunks in pieces of any size
 * @returns the content in pieces
 * @throws SpacktainersError ARCHIVE_INVALID (damaged, cut off, larger than `maxBytes`), NOT_SUPPORTED (bzip2, lzma, …)
 */
export async function* decompressStream(
  chunks: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const place = options.where ?? {};
  const { compression, all } = await sniff(chunks);
  switch (compression) {
    case "gzip":
      yield* gunzipStream(all, options);
      return;
    case "none":
      yield* bounded(all, compression, options);
      return;
    case "xz":
      yield* bounded(unxz(all, place), compression, options);
      return;
    case "zstd":
      yield* bounded(unzstd(all, place), compression, options);
      return;
    default:
      await all.return();
      throw new SpacktainersError("NOT_SUPPORTED", `${compression} compression is not supported`, {
        place,
        hint: "compress it again with gzip, xz or zstd",
      });
  }
}

async function sniff(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ compression: Compression; all: AsyncGenerator<Uint8Array, void, void> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  let ended = false;
  while (head.length < magicLength && !ended) {
    const next = await iterator.next();
    if (next.done === true) ended = true;
    else head = head.length === 0 ? bufferOf(next.value) : Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (head.length > 0) yield head;
      while (!ended) {
        const next = await iterator.next();
        if (next.done === true) ended = true;
        else yield next.value;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
  }
  return { compression: compressionOf(head), all: all() };
}

async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
  { maxBytes = Number.POSITIVE_INFINITY, where = {} }: DecompressOptions,
): AsyncGenerator<Uint8Array, void, void> {
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > maxBytes) {
      const data = compression === "none" ? "data is" : `${compression} data unpacks to`;
      throw new SpacktainersError("ARCHIVE_INVALID", `the ${data} more than ${maxBytes} bytes`, {
        place: where,
      });
    }
    if (chunk.length > 0) yield chunk;
  }
}

/** The end of an xz stream and the beginning of another: with and without padding. */
const joints = [
  Buffer.from([0x59, 0x5a, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
  Buffer.from([0x00, 0x00, 0x00, 0x00, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
];

async function* unxz(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  place: Place,
): AsyncGenerator<Uint8Array, void, void> {
  const { default: library } = await import("xz-decompress");
  let sourceError: unknown;
  let joined = false;
  let tail: Buffer = Buffer.alloc(0);
  let ended = false;
  const source = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await chunks.next();
          if (next.done === true) {
            ended = true;
            controller.close();
            return;
          }
          const seen = Buffer.concat([tail, next.value.subarray(0, 16)]);
          const chunk = bufferOf(next.value);
          joined ||= joints.some((joint) => seen.includes(joint) || chunk.includes(joint));
          tail = Buffer.concat([tail, chunk.subarray(-16)]).subarray(-16);
          controller.enqueue(chunk);
        } catch (error) {
          sourceError = error;
          controller.error(error);
        }
      },
      async cancel() {
        await chunks.return();
      },
    },
    { highWaterMark: 0 },
  );
  const reader = new library.XzReadableStream(source).getReader();
  let failed = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
  } catch (error) {
    failed = true;
    if (sourceError !== undefined) throw sourceError;
    throw new SpacktainersError("ARCHIVE_INVALID", "the xz data is damaged or cut off", {
      place,
      cause: error,
    });
  } finally {
    // Frees the library's only decoder when we stop early.
    await reader.cancel().catch(() => {});
    if (failed) await chunks.return();
  }
  // The library stops in silence at the end of the first stream.
  while (!ended && !joined) {
    const next = await chunks.next();
    if (next.done === true) ended = true;
    else joined ||= next.value.some((byte) => byte !== 0);
  }
  await chunks.return();
  if (joined) {
    throw new SpacktainersError("ARCHIVE_INVALID", "the xz data is followed by something else", {
      place,
      hint: "files made of several xz streams are not supported: unpack and compress it again",
    });
  }
}

async function* unzstd(
  chunks: AsyncIterable<Uint8Array>,
  place: Place,
): AsyncGenerator<Uint8Array, void, void> {
  const { Decompress } = await import("fzstd");
  let pending: Uint8Array[] = [];
  const decoder = new Decompress((data) => {
    if (data.length > 0) pending.push(data);
  });
  const push = (chunk: Uint8Array, final: boolean): Uint8Array[] => {
    try {
      decoder.push(chunk, final);
    } catch (error) {
      throw new SpacktainersError("ARCHIVE_INVALID", "the zstd data is damaged or cut off", {
        place,
        cause: error,
      });
    }
    const ready = pending;
    pending = [];
    return ready;
  };
  let first = true;
  for await (const chunk of chunks) {
    if (first && zstdWindow(chunk) > maxZstdWindow) {
      throw new SpacktainersError(
        "ARCHIVE_INVALID",
        `the zstd data needs a window of more than ${maxZstdWindow} bytes`,
        { place, hint: "compress it again without --long" },
      );
    }
    first = false;
    // Small steps: all that a piece unpacks to is in memory at once.
    for (let at = 0; at < chunk.length; at += 65_536) yield* push(chunk.slice(at, at + 65_536), false);
  }
  yield* push(new Uint8Array(), true);
}

/** Window in bytes that the first frame asks for (RFC 8878, 3.1.1.1.2); 0 where the frame is a single segment or too short. */
function zstdWindow(head: Uint8Array): number {
  const descriptor = head[4] ?? 0;
  if ((descriptor & 0x20) !== 0) return 0;
  const window = head[5] ?? 0;
  const base = 2 ** (10 + (window >> 3));
  return base + (base / 8) * (window & 7);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
