/** A verified package archive as a stream of entries that can be read more than once. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import * as zlib from "node:zlib";
import type { Entry } from "../archive/entry.ts";
import { gunzipStream } from "../archive/gzip.ts";
import { printable } from "../archive/names.ts";
import { readTar } from "../archive/readTar.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { asSpacktainersError, type ErrorCode, type Place, SpacktainersError } from "../util/errors.ts";
import { openScratchTar, type ScratchTar, type TarBytes } from "./scratchTar.ts";

/** Bounds on one archive; no honest one comes near them. */
export const archiveLimits = {
  entries: 2_000_000,
  totalBytes: 2 ** 40,
  headerBytes: 64 * 1024,
  nameBytes: 4096,
} as const;

/**
 * Archives that unpack to at most so many bytes are unpacked once, in memory, and read from there. Each thread that
 * installs holds one of them. What larger ones unpack to is kept in a file, if there is a place for it.
 */
const largestInMemory = 32 * 2 ** 20;

/** Least size of a buffer that is unpacked into, should an archive say that it is tiny and not be. */
const leastChunk = 256 * 2 ** 10;

/** Pieces in which what is in memory is handed out: small enough to report progress and to stop in between. */
const pieceSize = 4 * 2 ** 20;

/** Options of {@link openPackageArchive}. */
export interface OpenArchiveOptions {
  /** For errors: which package it is. */
  readonly place?: Place | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What the file must be, byte for byte; for large archives known only once the last entry has been read. */
  readonly digest?: Digest | undefined;
  /**
   * Path of a file that may be made, to keep what a large archive unpacks to between two readings. It is unlinked as soon
   * as it is open, so that nothing is left of it. Without it, or on a full disk, a large archive is unpacked each time.
   */
  readonly scratchFile?: string | undefined;
}

/** An open package archive. */
export interface PackageArchive {
  /** For errors: which package it is. */
  readonly place: Place;
  /**
   * Reads the archive from its beginning. To be called again only when an earlier reading has ended. Contents may be
   * changed in place by whoever reads them; the last reading may do so.
   *
   * @param onRead called with the number of (compressed) bytes just read
   * @throws SpacktainersError ARCHIVE_INVALID, ARCHIVE_UNSAFE, CHECKSUM_MISMATCH, INTERRUPTED, or what reading the file gives
   */
  entries(onRead?: (bytes: number) => void): AsyncGenerator<Entry, void, void>;
  /** Lets go of what is kept between readings. */
  close(): Promise<void>;
}

/**
 * Opens an archive.
 *
 * @param path a gzip-compressed tar archive
 * @throws SpacktainersError CHECKSUM_MISMATCH, INTERRUPTED, or what reading the file gives; the rest only when it is read
 */
export async function openPackageArchive(
  path: string,
  options: OpenArchiveOptions = {},
): Promise<PackageArchive> {
  const { place = {} } = options;
  const inMemory = await guarded(options, () => unpackWhole(path, options));
  const scratch = inMemory === undefined ? openScratchTar(options.scratchFile) : undefined;
  const tar = inMemory === undefined ? streamed(path, scratch, options) : pieces(inMemory);
  return {
    place,
    async close() {
      await scratch?.close();
    },
    async *entries(onRead = () => {}) {
      try {
        for await (const entry of readTar(tar(onRead), { where: place, limits: archiveLimits })) {
          options.signal?.throwIfAborted();
          yield entry;
        }
      } catch (error) {
        throw refusal(error, options);
      }
    },
  };
}

interface Unpacked {
  /** Bytes of the file. */
  readonly size: number;
  readonly tar: Uint8Array;
}

/**
 * Unpacks a small archive. Its last four bytes say how long it becomes (RFC 1952, 2.3.1), which is only believed as far
 * as it saves copying.
 * @returns undefined for a large one, and for one that cannot be unpacked: reading it as a stream finds out why
 */
async function unpackWhole(
  path: string,
  { place = {}, digest }: OpenArchiveOptions,
): Promise<Unpacked | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size < 18 || size > largestInMemory) return undefined;
    const tail = Buffer.alloc(4);
    await file.read(tail, 0, 4, size - 4);
    const length = tail.readUInt32LE(0);
    if (length === 0 || length > largestInMemory) return undefined;
    const packed = await file.readFile();
    if (digest !== undefined && digestOfHex(createHash("sha256").update(packed).digest("hex")) !== digest)
      throw changed(path, place);
    const tar = await gunzip(packed, length);
    return tar === undefined ? undefined : { size, tar };
  } finally {
    await file.close();
  }
}

/** Node's documented `info` option, which its types do not know. */
interface Unzipped {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function gunzip(packed: Buffer, length: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    // One byte of room is left, so that zlib does not ask for another buffer.
    const options = {
      chunkSize: Math.max(length + 1, leastChunk),
      maxOutputLength: largestInMemory,
      info: true,
    };
    zlib.gunzip(packed, options, (error, result) => {
      const { buffer, engine } = (result ?? {}) as unknown as Partial<Unzipped>;
      // zlib stops in silence at what is not another member.
      resolve(error === null && engine?.bytesWritten === packed.length ? buffer : undefined);
    });
  });
}

function pieces({ size, tar }: Unpacked): TarBytes {
  return async function* (onRead) {
    let reported = 0;
    for (let at = 0; at < tar.length; at += pieceSize) {
      const piece = tar.subarray(at, at + pieceSize);
      const read = Math.round(((at + piece.length) / tar.length) * size);
      onRead(read - reported);
      reported = read;
      yield piece;
    }
  };
}

function streamed(path: string, scratch: ScratchTar | undefined, options: OpenArchiveOptions): TarBytes {
  const { place = {}, signal, digest } = options;
  return async function* (onRead) {
    const kept = scratch?.kept();
    if (kept !== undefined) {
      yield* kept(onRead);
      return;
    }
    const file = createReadStream(path, { highWaterMark: 256 * 1024, signal });
    const hash = digest === undefined ? undefined : createHash("sha256");
    let size = 0;
    scratch?.begin();
    try {
      async function* chunks(): AsyncGenerator<Buffer> {
        for await (const chunk of file) {
          onRead(chunk.length);
          size += chunk.length;
          hash?.update(chunk);
          yield chunk;
        }
      }
      for await (const chunk of gunzipStream(chunks(), { where: place })) {
        // Before it is handed out: whoever reads it may change it.
        await scratch?.add(chunk);
        yield chunk;
      }
      if (hash !== undefined && digestOfHex(hash.digest("hex")) !== digest) throw changed(path, place);
      scratch?.complete(size);
    } catch (error) {
      // Here, too: whoever reads a file's content meets it before the loop over the entries does.
      throw refusal(error, options);
    } finally {
      file.destroy();
    }
  };
}

async function guarded<T>(options: OpenArchiveOptions, action: () => Promise<T>): Promise<T> {
  try {
    options.signal?.throwIfAborted();
    return await action();
  } catch (error) {
    throw refusal(error, options);
  }
}

/** What is malformed gets the same advice as what is hostile. */
function refusal(thrown: unknown, { place = {}, signal }: OpenArchiveOptions): SpacktainersError {
  if (signal?.aborted === true)
    return new SpacktainersError("INTERRUPTED", "the installation was interrupted", { place });
  const error = asSpacktainersError(thrown, place);
  if (error.code !== "ARCHIVE_INVALID" || error.hint !== undefined) return error;
  const { code, message, cause } = error;
  return new SpacktainersError(code, message, { place: error.place, hint: damagedHint, cause });
}

const damagedHint = "the archive is damaged or hostile; remove it from the cache and push the package again";

function changed(path: string, place: Place): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", `the archive changed after it was verified: ${path}`, {
    place,
    hint: "remove the file and run again; if it happens again, somebody else writes there",
  });
}

/** An error about one entry. */
export function archiveRefusal(code: ErrorCode, path: string, what: string, place: Place): SpacktainersError {
  return new SpacktainersError(code, `${printable(path)} ${what}`, {
    place,
    hint: damagedHint,
  });
}
