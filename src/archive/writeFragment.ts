/**
 * Finished parts of an image: one package (or the view, or a base) as a compressed tar file that is a whole layer by
 * itself, and from which a layer of several packages can be put together without compressing anything again.
 *
 * The file is a sequence of gzip members or zstd frames, which is gzip or zstd again (see `compressStream.ts`):
 *   head     directories above the first entry (`opt`, `opt/software`, …), absent when there are none
 *   body     the entries, without the end of the archive
 *   trailer  the end of the archive
 * A layer of several packages is one head, their bodies, one trailer.
 */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type CompressOptions, compressBytes, compressStream } from "./compressStream.ts";
import { type DirectoryEntry, type Entry, type EntryStream, imageMtime } from "./entry.ts";
import { hashing } from "./gzip.ts";
import { type CompressionFormat, compressionSettings } from "./layerCompression.ts";
import { printable } from "./names.ts";
import { formatEntryHeader, trailerSize, writeTar } from "./writeTar.ts";

/** Digests and sizes of a fragment file: plain JSON data, stored beside it. */
export interface FragmentDescriptor {
  readonly compression: CompressionFormat;
  /** Of the file: the layer's digest. */
  readonly digest: Digest;
  /** Bytes of the file. */
  readonly size: number;
  /** Of the uncompressed tar, end included: the layer's entry in `rootfs.diff_ids`. */
  readonly diffId: Digest;
  /** Bytes of the uncompressed tar, end included. */
  readonly tarSize: number;
  /** Where in the file the members or frames of the body begin and end, in bytes. */
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** The directories of the head, parents first. */
  readonly parents: readonly string[];
}

/** Directories on the way to something: `rwxr-xr-x`, root's, with the time of everything that spacktainers writes. */
export function parentDirectory(path: string): DirectoryEntry {
  return { type: "directory", path, mode: 0o755, uid: 0, gid: 0, mtime: imageMtime };
}

/** All directories above a path, parents first, without the root. */
export function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
    parents.push(path.slice(0, slash));
  return parents;
}

/** The head of a layer: its uncompressed tar bytes (no end of archive), and compressed. The same for every level. */
export async function layerHead(
  parents: readonly string[],
  format: CompressionFormat,
): Promise<{ readonly tar: Buffer; readonly packed: Uint8Array }> {
  const tar = Buffer.concat(parents.map((path) => formatEntryHeader(parentDirectory(path))));
  return { tar, packed: tar.length === 0 ? tar : await compressBytes(tar, compressionSettings(format)) };
}

/** What ends every layer, as {@link layerHead}. */
export async function layerTrailer(
  format: CompressionFormat,
): Promise<{ readonly tar: Buffer; readonly packed: Uint8Array }> {
  const tar = Buffer.alloc(trailerSize);
  return { tar, packed: await compressBytes(tar, compressionSettings(format)) };
}

/**
 * Writes a fragment file and hashes it on the way.
 *
 * @param path of the new file; must not exist. It becomes read-only: it will be shared by hard links.
 * @param entries parents before children; the directories above the first entry, and others that are missing, are added
 *   (mode 0755, owner 0:0, time {@link imageMtime})
 * @param options how to compress; `onBytes` receives uncompressed bytes as they are done; `whiteouts`: what to do with
 *   names that mean deletion in a layer (default `refuse`)
 * @throws SpacktainersError ARCHIVE_UNSAFE for a name that would delete files of lower layers; whatever `entries` throws;
 *   errors of the system
 */
export async function writeFragment(
  path: string,
  entries: EntryStream,
  options: CompressOptions & {
    readonly onBytes?: (bytes: number) => void;
    readonly whiteouts?: "refuse" | "keep";
  } = {},
): Promise<FragmentDescriptor> {
  const file = await open(path, "wx", 0o444);
  try {
    const sink = new HashingSink(file);
    const tarHash = createHash("sha256");
    let tarSize = 0;
    const seen = new Set<string>();
    const allowed = options.whiteouts === "keep" ? entries : withoutWhiteouts(entries);
    const iterator = allowed[Symbol.asyncIterator]();
    const first = await iterator.next();
    const parents = first.done === true ? [] : parentsOf(first.value.path);
    const format = (options.compression ?? compressionSettings()).format;
    const head = await layerHead(parents, format);
    tarHash.update(head.tar);
    tarSize += head.tar.length;
    await sink.write(head.packed);
    const bodyStart = sink.size;
    if (first.done !== true) {
      for (const parent of parents) seen.add(parent);
      const rest = withParents(first.value, iterator, seen);
      const tar = hashing(
        counting(writeTar(rest, { trailer: false }), (bytes) => {
          tarSize += bytes;
          options.onBytes?.(bytes);
        }),
        tarHash,
      );
      for await (const chunk of compressStream(tar, options)) await sink.write(chunk);
    }
    const bodyEnd = sink.size;
    const trailer = await layerTrailer(format);
    tarHash.update(trailer.tar);
    tarSize += trailer.tar.length;
    await sink.write(trailer.packed);
    return {
      compression: format,
      digest: sink.digest(),
      size: sink.size,
      diffId: digestOfHex(tarHash.digest("hex")),
      tarSize,
      bodyStart,
      bodyEnd,
      parents,
    };
  } finally {
    await file.close();
  }
}

/** A file being written, hashed and counted. */
export class HashingSink {
  /** Bytes written. */
  size = 0;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash("sha256");

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.size += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
  }

  /** Digest of all that was written. To be called once. */
  digest(): Digest {
    return digestOfHex(this.#hash.digest("hex"));
  }
}

/** Passes entries on; refuses names that mean deletion in a layer (OCI image specification, "Whiteouts"). */
async function* withoutWhiteouts(entries: EntryStream): EntryStream {
  for await (const entry of entries) {
    if (entry.path.startsWith(".wh.") || entry.path.includes("/.wh."))
      throw new SpacktainersError(
        "ARCHIVE_UNSAFE",
        `${printable(entry.path)} has a name that means deletion in an image`,
        { hint: "names that begin with .wh. cannot be in an image" },
      );
    yield entry;
  }
}

async function* withParents(first: Entry, rest: AsyncIterator<Entry>, seen: Set<string>): EntryStream {
  let done = false;
  try {
    for (let next: Entry = first; ; ) {
      // Almost always the nearest parent is known, and then so are all above it.
      const nearest = next.path.slice(0, Math.max(0, next.path.lastIndexOf("/")));
      const isKnown = nearest === "" || seen.has(nearest);
      for (const parent of isKnown ? [] : parentsOf(next.path)) {
        if (seen.has(parent)) continue;
        seen.add(parent);
        yield parentDirectory(parent);
      }
      if (next.type === "directory") seen.add(next.path);
      yield next;
      const result = await rest.next();
      if (result.done === true) {
        done = true;
        return;
      }
      next = result.value;
    }
  } finally {
    if (!done) await rest.return?.();
  }
}

async function* counting(
  chunks: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}
