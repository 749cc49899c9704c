/**
 * Reading zstd frame by frame (RFC 8878, 3.1). A frame that says that it is small, as those of our layers do, is read
 * whole by the reference library, Node's or the one in WebAssembly, three times as fast as what reads all others.
 */
import zlib from "node:zlib";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { startWasmZstd } from "./blockCompressor.ts";

/** Content of frames that are read whole, in bytes at most. */
const largestWhole = 8 * 2 ** 20;
/** Bytes of a frame's header, at most: magic, descriptor, window, dictionary, content size. */
const headerLength = 18;
const magic = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);

/** What the first bytes of a frame say. */
export interface ZstdFrameHeader {
  /** Bytes of the header itself. */
  readonly length: number;
  /** Bytes of the content; undefined when it does not say. */
  readonly contentSize: number | undefined;
  /** Memory in bytes that reading it asks for. */
  readonly window: number;
  readonly hasChecksum: boolean;
}

/**
 * Reads a frame header (RFC 8878, 3.1.1.1).
 *
 * @param head the first bytes, {@link headerLength} of them where there are so many; what is missing counts as 0
 * @returns undefined when no frame of compressed data begins here
 */
export function zstdFrameHeader(head: Uint8Array): ZstdFrameHeader | undefined {
  if (!magic.every((byte, at) => head[at] === byte)) return undefined;
  const descriptor = head[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const start = 5 + (isSingleSegment ? 0 : 1) + dictionary;
  const sizeLength = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  let contentSize = 0;
  for (let at = sizeLength - 1; at >= 0; at--) contentSize = contentSize * 256 + (head[start + at] ?? 0);
  if (sizeFlag === 1) contentSize += 256;
  const exponent = 2 ** (10 + ((head[5] ?? 0) >> 3));
  return {
    length: start + sizeLength,
    contentSize: sizeLength === 0 ? undefined : contentSize,
    window: isSingleSegment ? contentSize : exponent + (exponent / 8) * ((head[5] ?? 0) & 7),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

/**
 * Decompresses the small frames at the beginning of zstd data.
 *
 * @param chunks in pieces of any size
 * @param rest what reads the data from the first other frame on
 * @returns the content in pieces
 * @throws SpacktainersError ARCHIVE_INVALID: damaged or cut off; whatever `rest` throws
 */
export async function* decompressFrames(
  chunks: AsyncIterable<Uint8Array>,
  place: Place,
  rest: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const source = new FrameSource(chunks[Symbol.asyncIterator]());
  try {
    for (;;) {
      const head = await source.peek(headerLength);
      if (head.length === 0) return;
      const header = zstdFrameHeader(head);
      if (header?.contentSize === undefined || header.contentSize > largestWhole) {
        yield* rest(source.remaining());
        return;
      }
      const read = await frameReader();
      if (read === undefined) {
        yield* rest(source.remaining());
        return;
      }
      yield await wholeFrame(source, { ...header, contentSize: header.contentSize }, read, place);
    }
  } finally {
    await source.close();
  }
}

/** Reads a whole frame. @param contentSize bytes that it says are in it */
type FrameReader = (frame: Uint8Array, contentSize: number) => Uint8Array;

/** Node's own zstd (from 22.15 on), else the one in WebAssembly; undefined where the address space has no room for that. */
async function frameReader(): Promise<FrameReader | undefined> {
  const { zstdDecompressSync } = zlib as { readonly zstdDecompressSync?: NativeDecompress };
  if (zstdDecompressSync !== undefined)
    return (frame, contentSize) =>
      zstdDecompressSync(frame, { chunkSize: Math.max(64, contentSize), maxOutputLength: contentSize });
  const wasm = await startWasmZstd().catch(() => undefined);
  return wasm === undefined ? undefined : (frame) => wasm.decompress(frame);
}

type NativeDecompress = (
  frame: Uint8Array,
  options: { readonly chunkSize: number; readonly maxOutputLength: number },
) => Uint8Array;

async function wholeFrame(
  source: FrameSource,
  header: ZstdFrameHeader & { readonly contentSize: number },
  read: FrameReader,
  place: Place,
): Promise<Uint8Array> {
  const { contentSize } = header;
  let length = header.length;
  for (let isLast = false; !isLast; ) {
    const bytes = await source.peek(length + 3);
    if (bytes.length < length + 3) throw damaged(place);
    const block = bytes.readUIntLE(length, 3);
    isLast = (block & 1) !== 0;
    // One byte, repeated, is one byte long here.
    length += 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
    // Nobody writes frames that are so much longer than what is in them.
    if (length > 2 * contentSize + 2 ** 16) throw damaged(place);
  }
  if (header.hasChecksum) length += 4;
  const frame = (await source.peek(length)).subarray(0, length);
  if (frame.length < length) throw damaged(place);
  let content: Uint8Array;
  try {
    content = contentSize === 0 ? new Uint8Array() : read(frame, contentSize);
  } catch (cause) {
    throw damaged(place, cause);
  }
  if (content.length !== contentSize) throw damaged(place);
  source.skip(length);
  return content;
}

function damaged(place: Place, cause?: unknown): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", "the zstd data is damaged or cut off", { place, cause });
}

/** A stream whose next bytes can be peeked at before they are taken. */
class FrameSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks;
  }

  /** What comes next: at least so many bytes, less only at the end. */
  async peek(length: number): Promise<Buffer> {
    if (this.#pending.length >= length || this.#ended) return this.#pending;
    const parts: Uint8Array[] = [this.#pending];
    for (let have = this.#pending.length; have < length; ) {
      const next = await this.#chunks.next();
      if (next.done === true) {
        this.#ended = true;
        break;
      }
      parts.push(next.value);
      have += next.value.length;
    }
    this.#pending = Buffer.concat(parts);
    return this.#pending;
  }

  skip(length: number): void {
    this.#pending = this.#pending.subarray(length);
  }

  /** All that was not skipped. */
  async *remaining(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#pending.length > 0) yield this.#pending;
    this.#pending = Buffer.alloc(0);
    while (!this.#ended) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#ended = true;
      else yield next.value;
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
  }
}
