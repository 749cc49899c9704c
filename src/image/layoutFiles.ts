/** The files of an OCI layout, in a directory or in a tar file. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { TarExtent } from "../archive/tarIndex.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { readExtent } from "./fileExtent.ts";
import type { FileExtent } from "./layer.ts";

/** The files of a layout, wherever they are. */
export interface LayoutFiles {
  /** The layout's own path, for messages. */
  readonly root: string;
  /** Where a file is; undefined when there is none. */
  find(name: string): Promise<FileExtent | undefined>;
}

/** A layout that is a directory. */
export function directoryFiles(directory: string): LayoutFiles {
  return {
    root: directory,
    async find(name) {
      const path = join(directory, name);
      const facts = await stat(path).catch((error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") return undefined;
        throw asSpacktainersError(error, { file: path });
      });
      if (facts === undefined) return undefined;
      // A pipe would be waited for.
      if (!facts.isFile()) throw new SpacktainersError("IO", "this is no file", { place: { file: path } });
      return { path, offset: 0, size: facts.size };
    },
  };
}

/**
 * A layout that is a tar file.
 * @param root the file's path, for messages
 * @param path where it can be read
 * @param members the extents of the files in it
 */
export function archiveFiles(
  root: string,
  path: string,
  members: ReadonlyMap<string, TarExtent>,
): LayoutFiles {
  return {
    root,
    async find(name) {
      const extent = members.get(name);
      return extent === undefined ? undefined : { path, ...extent };
    },
  };
}

/** Path of a blob in a layout, below its root. */
export function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOfDigest(digest)}`;
}

/** Path of a blob in a layout that is a directory. */
export function layoutBlobPath(directory: string, digest: Digest): string {
  return join(directory, blobName(digest));
}

/**
 * Reads a file whole.
 * @param most bytes that it may have
 * @throws SpacktainersError NOT_FOUND; ARCHIVE_INVALID when it is larger
 */
export async function readLayoutFile(files: LayoutFiles, name: string, most: number): Promise<Buffer> {
  const place = { file: join(files.root, name) };
  const extent = await files.find(name);
  if (extent === undefined) throw new SpacktainersError("NOT_FOUND", "no such file", { place });
  const bytes = extent.size > most ? undefined : await readWhole(extent, most);
  if (bytes !== undefined) return bytes;
  throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is too large", { place });
}

/** A file that is no part of another one is read as it is now, whatever it was when it was found. */
async function readWhole(extent: FileExtent, most: number): Promise<Buffer | undefined> {
  if (extent.offset === 0)
    return readBounded(extent.path, most).catch((error: unknown) => {
      throw asSpacktainersError(error, { file: extent.path });
    });
  const pieces: Buffer[] = [];
  for await (const piece of readExtent(extent)) pieces.push(piece);
  return Buffer.concat(pieces);
}
