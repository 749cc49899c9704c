/** The bytes of a tar archive as they are read: blocks, headers' contents, files' contents. */
import { type Place, SpacktainersError } from "../util/errors.ts";
import { blockSize } from "./tarHeader.ts";

/** An archive that is not one, with the place of it. */
export function invalidTar(where: Place, offset: number, what: string, cause?: unknown): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `the tar archive is not valid at byte ${offset}: ${what}`, {
    place: where,
    cause,
  });
}

/** `size` rounded up to whole blocks. Arithmetic, not bits: sizes exceed 32 bits. */
export function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

/** The archive's bytes as a cursor over the chunks they come in. */
export class TarSource {
  /** Bytes consumed so far. */
  offset = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #where: Place;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #ended = false;
  /** Bytes of the current entry's content that nobody has read yet, and of its padding. */
  #remaining = 0;
  #padding = 0;
  /** Counts entries, so that a content iterator kept too long notices. */
  #turn = 0;

  constructor(chunks: AsyncIterable<Uint8Array>, where: Place) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#where = where;
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
  }

  /** Makes sure that the current chunk has an unread byte; false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      if (this.#ended) return false;
      const next = await this.#chunks.next();
      if (next.done === true) {
        this.#ended = true;
        return false;
      }
      const { buffer, byteOffset, byteLength } = next.value;
      this.#chunk = Buffer.from(buffer, byteOffset, byteLength);
      this.#at = 0;
    }
    return true;
  }

  /** At most `most` bytes of the current chunk, which has some. */
  #take(most: number): Buffer {
    const end = Math.min(this.#chunk.length, this.#at + most);
    const piece = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    this.offset += piece.length;
    return piece;
  }

  /** The next block, or undefined at a clean end. */
  async block(): Promise<Buffer | undefined> {
    if (this.#chunk.length - this.#at >= blockSize) return this.#take(blockSize);
    if (!(await this.#fill())) return undefined;
    return this.exactly(blockSize);
  }

  async exactly(length: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at >= length) return this.#take(length);
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      if (!(await this.#fill())) throw this.#cutOff();
      at += this.#take(length - at).copy(bytes, at);
    }
    return bytes;
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      if (!(await this.#fill())) throw this.#cutOff();
      left -= this.#take(left).length;
    }
  }

  /** Whatever comes next, or undefined at the end. */
  async some(): Promise<Buffer | undefined> {
    return (await this.#fill()) ? this.#take(Number.POSITIVE_INFINITY) : undefined;
  }

  startContent(size: number): void {
    this.#remaining = size;
    this.#padding = padded(size) - size;
    this.#turn++;
  }

  async finishContent(): Promise<void> {
    const left = this.#remaining + this.#padding;
    this.#remaining = 0;
    if (left > 0) await this.skip(left);
  }

  /** The content of the entry that starts next (see {@link startContent}). */
  content(): AsyncIterable<Uint8Array> {
    const turn = this.#turn + 1;
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      if (turn !== this.#turn)
        throw new SpacktainersError("INTERNAL", "the content of an earlier entry is gone", {
          place: this.#where,
        });
      if (this.#remaining === 0) return { done: true, value: undefined };
      if (!(await this.#fill())) throw this.#cutOff();
      const value = this.#take(this.#remaining);
      this.#remaining -= value.length;
      return { done: false, value };
    };
    const iterator: AsyncIterableIterator<Uint8Array> = {
      next,
      // Leaving the loop early leaves the rest to finishContent.
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #cutOff(): SpacktainersError {
    return invalidTar(this.#where, this.offset, "the archive is cut off");
  }
}
