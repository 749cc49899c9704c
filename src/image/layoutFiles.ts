/** The files of an OCI layout, in a directory or in a tar file. */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { damagedImage } from "../archive/oci/parse.ts";
import type { TarExtent } from "../archive/tarIndex.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { readExtent } from "./fileExtent.ts";
import type { FileExtent } from "./layer.ts";

/** The files of a layout, wherever they are. */
export interface LayoutFiles {
  /** The layout's own path, for messages. */
  readonly root: string;
  /** Where a file is; undefined when there is none. */
  find(name: string): Promise<FileExtent | undefined>;
  /**
   * A file whole.
   * @param most bytes that it may have
   * @throws SpacktainersError NOT_FOUND; ARCHIVE_INVALID when it is larger
   */
  read(name: string, most: number): Promise<Buffer>;
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
      if (!facts.isFile()) throw new SpacktainersError("IO", "this is not a file", { place: { file: path } });
      return { path, offset: 0, size: facts.size };
    },
    async read(name, most) {
      const place = { file: join(directory, name) };
      try {
        return (await readBounded(place.file, most)) ?? tooLarge(place);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw code === "ENOENT" || code === "ENOTDIR" ? missing(place) : asSpacktainersError(error, place);
      }
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
    async read(name, most) {
      const place = { file: join(root, name) };
      const extent = members.get(name);
      if (extent === undefined) throw missing(place);
      if (extent.size > most) return tooLarge(place);
      const pieces: Buffer[] = [];
      for await (const piece of readExtent({ path, ...extent })) pieces.push(piece);
      return Buffer.concat(pieces);
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

function missing(place: Place): SpacktainersError {
  return new SpacktainersError("NOT_FOUND", "no such file", { place });
}

function tooLarge(place: Place): never {
  throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is too large", {
    place,
    hint: damagedImage,
  });
}
