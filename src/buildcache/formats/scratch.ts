import { mkdir } from "node:fs/promises";
import { sweepTemporaries, temporaryPath } from "../../util/atomicFile.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { removeTree } from "../../util/removeTree.ts";

/**
 * Works in a folder that is gone afterwards; what killed runs left beside it goes, too.
 *
 * @param parent folder for such folders, which is made
 */
export async function inScratch<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  await makeDirectory(parent);
  await sweepTemporaries(parent);
  const folder = temporaryPath(parent);
  await mkdir(folder);
  try {
    return await work(folder);
  } finally {
    await removeTree(folder);
  }
}
