import { constants } from "node:fs";
import { chmod, copyFile, link, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { temporaryPath } from "../util/atomicFile.ts";
import type { BlobToWrite } from "./layoutDocuments.ts";

/**
 * Puts a blob at a path, unless a file of its size is there already. Files are shared by a hard link where the file system
 * allows it (they are read-only), else copied, else cloned; a part of a file is copied. A layer that is in a registry is
 * fetched first.
 * @returns bytes written; 0 when it was there
 */
export async function placeBlob(blob: BlobToWrite, path: string): Promise<number> {
  const present = await stat(path).catch(() => undefined);
  if (present?.isFile() === true && present.size === blob.size) return 0;
  const temporary = temporaryPath(dirname(path));
  try {
    if ("bytes" in blob.from) await writeFile(temporary, blob.from.bytes, { mode: 0o644, flag: "wx" });
    else {
      const { layer } = blob.from;
      const extent = await layer.local();
      if (extent.offset === 0) await shareFile(extent.path, temporary);
      else await writeFile(temporary, layer.blob(), { mode: 0o644, flag: "wx" });
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return blob.size;
}

/** Reasons for which a file system refuses a hard link although a copy would do. */
const noLink: ReadonlySet<string | undefined> = new Set([
  "EXDEV",
  "EPERM",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
]);

async function shareFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!noLink.has((error as NodeJS.ErrnoException).code)) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await chmod(to, 0o644);
  }
}
