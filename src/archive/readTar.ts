import { type Place, SpacktainersError } from "../util/errors.ts";
import type { Entry, EntryStream } from "./entry.ts";
import { type AbsolutePaths, archivePath, bytesOfName, nameOfBytes, printable } from "./names.ts";
import { type PaxValues, parsePax } from "./pax.ts";
import { blockSize, isZero, parseHeader, type TarHeader, TarHeaderError } from "./tarHeader.ts";

/** What a tar archive may contain at most. */
export interface TarLimits {
  /** Number of entries. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly totalBytes: number;
  /** Bytes of one extended header. */
  readonly headerBytes: number;
  /** Bytes of a path or link text. */
  readonly nameBytes: number;
}

/** Limits that no honest archive meets. */
export const defaultTarLimits: TarLimits = {
  entries: 10_000_000,
  totalBytes: 2 ** 43,
  headerBytes: 2 ** 20,
  nameBytes: 4096,
};

/** How to read a tar archive. */
export interface ReadTarOptions {
  /** Where the archive is from, for error messages. */
  readonly where: Place;
  readonly limits?: Partial<TarLimits>;
  /** Devices, FIFOs: an error (the default) or left out. */
  readonly special?: "refuse" | "skip";
  /** A leading slash: an error (the default) or dropped. */
  readonly absolute?: AbsolutePaths;
  /** Whether the archive must end with a block of zeros (the default); fragments of a layer do not. */
  readonly end?: "required" | "optional";
}

/**
 * Reads a tar stream: ustar, PAX, GNU long names and base-256 numbers, and the old V7 form.
 *
 * Chunks of file content are passed on as they come, without copying. An entry's `content` may be left unread or half
 * read; the rest is skipped. Entries for the root itself are left out. Extended attributes are not kept.
 *
 * @param chunks the uncompressed archive, in pieces of any size; the pieces must not be reused by their maker
 * @returns entries in the archive's order, paths in canonical form
 * @throws SpacktainersError ARCHIVE_INVALID (malformed, truncated, sparse, over a limit; the message has the offset),
 *   ARCHIVE_UNSAFE (a path that leads out)
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, options: ReadTarOptions): EntryStream {
  const limits = { ...defaultTarLimits, ...options.limits };
  const source = new ChunkSource(chunks, options.where);
  try {
    yield* readEntries(source, options, limits);
  } finally {
    await source.close();
  }
}

async function* readEntries(source: ChunkSource, options: ReadTarOptions, limits: TarLimits): EntryStream {
  const { where } = options;
  let global: PaxValues = {};
  let pax: PaxValues = {};
  let longName: string | undefined;
  let longLink: string | undefined;
  let pending = false;
  let entries = 0;
  let totalBytes = 0;
  for (;;) {
    const headerAt = source.offset;
    const block = await source.block();
    if (block === undefined || isZero(block)) {
      if (pending) throw invalid(where, headerAt, "an extended header is followed by no entry");
      if (block !== undefined) await expectZeros(source, where);
      else if (options.end !== "optional") throw invalid(where, headerAt, "the archive is cut off");
      return;
    }
    const header = located(where, headerAt, () => parseHeader(block));
    const meta = metaTypes[header.type];
    if (meta !== undefined) {
      const bytes = await readMeta(source, header, limits, where);
      if (meta === "pax") pax = { ...pax, ...located(where, headerAt, () => parsePax(bytes)) };
      else if (meta === "global") global = { ...global, ...located(where, headerAt, () => parsePax(bytes)) };
      else if (meta === "name") longName = untilNul(bytes);
      else longLink = untilNul(bytes);
      pending = meta !== "global";
      continue;
    }
    const facts = resolve(header, longName, longLink, pax, global);
    pax = {};
    longName = undefined;
    longLink = undefined;
    pending = false;
    if (++entries > limits.entries) throw invalid(where, headerAt, "it has too many entries");
    if (tooLong(facts.name, limits) || tooLong(facts.linkName, limits))
      throw invalid(where, headerAt, "a name is too long");
    const kind = entryKind(facts);
    const size = kind === "file" || kind === "skipped" ? facts.size : 0;
    totalBytes += size;
    if (size < 0 || totalBytes > limits.totalBytes) throw invalid(where, headerAt, "a size is out of range");
    if (kind === undefined)
      throw invalid(
        where,
        headerAt,
        `${printable(facts.name)} is of the unknown type ${printable(facts.type)}`,
      );
    if (kind === "special" && options.special !== "skip") {
      throw new SpacktainersError("ARCHIVE_UNSAFE", `${printable(facts.name)} is a device or FIFO`, {
        place: where,
        hint: "only files, directories and links can be in an image made here",
      });
    }
    if (kind !== "special" && kind !== "skipped") {
      const entry = located(where, headerAt, () => makeEntry(kind, facts, size, source, options.absolute));
      if (entry !== undefined) {
        source.startContent(size);
        yield entry;
        await source.finishContent();
        continue;
      }
    }
    await source.skip(padded(size));
  }
}

/** Types of header whose content is about the next entry (or all that follow). */
const metaTypes: Readonly<Record<string, "pax" | "global" | "name" | "link" | undefined>> = {
  x: "pax",
  X: "pax",
  g: "global",
  L: "name",
  K: "link",
};

type EntryKind = Entry["type"] | "special" | "skipped";

function entryKind(facts: TarHeader): EntryKind | undefined {
  switch (facts.type) {
    case "0":
    case "7":
      return facts.name.endsWith("/") ? "directory" : "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
    case "4":
    case "6":
      return "special";
    case "5":
      return "directory";
    case "V":
      return "skipped";
    default:
      return undefined;
  }
}

/** Precedence: the entry's own PAX header, GNU long names, the global PAX header, the header block. */
function resolve(
  header: TarHeader,
  longName: string | undefined,
  longLink: string | undefined,
  pax: PaxValues,
  global: PaxValues,
): TarHeader {
  const number = (key: "size" | "uid" | "gid" | "mtime"): number => {
    const own = pax[key];
    return (own === undefined ? global[key] : own) ?? header[key];
  };
  const string = (key: "path" | "linkpath", long: string | undefined, plain: string): string => {
    const own = pax[key];
    return (own === undefined ? (long ?? global[key]) : own) ?? plain;
  };
  return {
    ...header,
    name: string("path", longName, header.name),
    linkName: string("linkpath", longLink, header.linkName),
    size: number("size"),
    uid: number("uid"),
    gid: number("gid"),
    mtime: number("mtime"),
  };
}

/** The entry, or undefined for the root directory itself. */
function makeEntry(
  kind: Entry["type"],
  facts: TarHeader,
  size: number,
  source: ChunkSource,
  absolute: AbsolutePaths = "refuse",
): Entry | undefined {
  const path = archivePath(facts.name, absolute);
  if (path === "") {
    if (kind === "directory") return undefined;
    throw new TarHeaderError("an entry has no name");
  }
  const base = { path, mode: facts.mode, uid: facts.uid, gid: facts.gid, mtime: facts.mtime };
  switch (kind) {
    case "directory":
      return { type: "directory", ...base };
    case "symlink":
      if (facts.linkName === "" || facts.linkName.includes("\0"))
        throw new TarHeaderError(`the symbolic link ${printable(path)} has no usable target`);
      return { type: "symlink", ...base, target: facts.linkName };
    case "hardlink": {
      const target = archivePath(facts.linkName, absolute);
      if (target === "") throw new TarHeaderError(`the hard link ${printable(path)} has no target`);
      return { type: "hardlink", ...base, target };
    }
    case "file":
      return { type: "file", ...base, size, content: source.content() };
  }
}

async function readMeta(
  source: ChunkSource,
  header: TarHeader,
  limits: TarLimits,
  where: Place,
): Promise<Buffer> {
  if (header.size < 0 || header.size > limits.headerBytes)
    throw invalid(where, source.offset, "an extended header is too large");
  const bytes = await source.exactly(header.size);
  await source.skip(padded(header.size) - header.size);
  return bytes;
}

async function expectZeros(source: ChunkSource, where: Place): Promise<void> {
  for (let chunk = await source.some(); chunk !== undefined; chunk = await source.some()) {
    if (!isZero(chunk))
      throw invalid(where, source.offset, "there is something after the end of the archive");
  }
}

function located<T>(where: Place, offset: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TarHeaderError) throw invalid(where, offset, error.message, error);
    if (error instanceof SpacktainersError && Object.keys(error.place).length === 0) {
      throw new SpacktainersError(error.code, error.message, {
        place: where,
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
    throw error;
  }
}

function invalid(where: Place, offset: number, what: string, cause?: unknown): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `the tar archive is not valid at byte ${offset}: ${what}`, {
    place: where,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Longest name of one file that Linux has, in bytes. */
const componentBytes = 255;
/** A part of a path that may be longer than that: a UTF-16 unit takes at most three bytes. */
const longComponent = new RegExp(`[^/]{${Math.ceil(componentBytes / 3)}}`);

function tooLong(name: string, limits: TarLimits): boolean {
  if (longComponent.test(name) && name.split("/").some((part) => bytesOfName(part).length > componentBytes))
    return true;
  // A UTF-16 unit takes at most three bytes, so most names need no counting.
  return name.length * 3 > limits.nameBytes && Buffer.byteLength(name) > limits.nameBytes;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return nameOfBytes(end < 0 ? bytes : bytes.subarray(0, end));
}

/** `size` rounded up to whole blocks. Arithmetic, not bits: sizes exceed 32 bits. */
function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

/** The archive's bytes as a cursor over the chunks they come in. */
class ChunkSource {
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
    return invalid(this.#where, this.offset, "the archive is cut off");
  }
}
