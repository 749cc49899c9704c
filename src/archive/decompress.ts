/** Decompression by magic number: gzip by Node's zlib, xz and zstd by libraries without native code. */
import { ReadableStream } from "node:stream/web";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { gunzipStream } from "./gzip.ts";
import { decompressFrames, zstdFrameHeader } from "./zstdFrames.ts";

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

/** Bytes that {@link compressionOf} and {@link zstdFrameHeader} want to see. */
const headLength = 18;

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
      yield* bounded(
        decompressFrames(all, place, (rest) => unzstd(rest, place)),
        compression,
        options,
      );
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
  while (head.length < headLength && !ended) {
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

const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/**
 * xz data of one or several streams. The library stops in silence at the end of the first and does not say where that
 * was; so it is given the data up to each place where another stream could begin (a magic number at a multiple of four
 * bytes), and whether it asks for more tells whether one does.
 */
async function* unxz(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  place: Place,
): AsyncGenerator<Uint8Array, void, void> {
  const source = new XzSource(chunks);
  try {
    do {
      yield* unxzOne(source, place);
    } while (await source.startsStream(place));
  } finally {
    await chunks.return();
  }
}

async function* unxzOne(source: XzSource, place: Place): AsyncGenerator<Uint8Array, void, void> {
  const { default: library } = await import("xz-decompress");
  let sourceError: unknown;
  const input = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const piece = await source.next();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        } catch (error) {
          sourceError = error;
          controller.error(error);
        }
      },
    },
    { highWaterMark: 0 },
  );
  const reader = new library.XzReadableStream(input).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    throw new SpacktainersError("ARCHIVE_INVALID", "the xz data is damaged or cut off", {
      place,
      cause: error,
    });
  } finally {
    // Frees the library's only decoder when we stop early.
    await reader.cancel().catch(() => {});
  }
}

/** Compressed data, handed out in pieces that end before every magic number. */
class XzSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes before `pending`. */
  #offset = 0;
  #ended = false;

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks;
  }

  /** The next piece, undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    // A magic number that is only half there must not be overlooked.
    await this.#fill(xzMagic.length);
    if (this.#pending.length === 0) return undefined;
    let at = this.#pending.indexOf(xzMagic, 1);
    while (at >= 0 && (this.#offset + at) % 4 !== 0) at = this.#pending.indexOf(xzMagic, at + 1);
    if (at >= 0) return this.#take(at);
    const keep = this.#ended ? 0 : xzMagic.length - 1;
    return this.#take(this.#pending.length - keep);
  }

  /** After a stream: whether another one follows. Padding of zeros is skipped. */
  async startsStream(place: Place): Promise<boolean> {
    for (;;) {
      await this.#fill(xzMagic.length);
      if (this.#pending.length === 0) return false;
      const end = this.#pending.findIndex((byte) => byte !== 0);
      if (end === 0) break;
      this.#take(end < 0 ? this.#pending.length : end);
    }
    if (this.#offset % 4 === 0 && this.#pending.subarray(0, xzMagic.length).equals(xzMagic)) return true;
    throw new SpacktainersError("ARCHIVE_INVALID", "the xz data is followed by something else", { place });
  }

  async #fill(length: number): Promise<void> {
    while (this.#pending.length < length && !this.#ended) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#ended = true;
      else
        this.#pending =
          this.#pending.length === 0 ? bufferOf(next.value) : Buffer.concat([this.#pending, next.value]);
    }
  }

  #take(length: number): Buffer {
    const piece = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    this.#offset += length;
    return piece;
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
    if (first && (zstdFrameHeader(chunk)?.window ?? 0) > maxZstdWindow) {
      throw new SpacktainersError(
        "ARCHIVE_INVALID",
        `the zstd data needs a window of more than ${maxZstdWindow} bytes`,
        { place, hint: "compress it again without --long" },
      );
    }
    first = false;
    // Small steps: all that a piece unpacks to is in memory at once, 128 KiB for every four bytes at worst.
    for (let at = 0; at < chunk.length; at += 2048) yield* push(chunk.slice(at, at + 2048), false);
  }
  yield* push(new Uint8Array(), true);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
