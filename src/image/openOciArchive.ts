import { open } from "node:fs/promises";
import { indexTar } from "../archive/tarIndex.ts";
import { asSpacktainersError } from "../util/errors.ts";
import type { ImageQuery, OciImage } from "./image.ts";
import { archiveFiles } from "./layoutFiles.ts";
import { openLayoutFiles } from "./openLayout.ts";
import { plainArchive } from "./plainArchive.ts";

/**
 * As `openLayout`, in an OCI layout that is one tar file (`oci-archive`). Layers stay where they are in it; a file that is
 * compressed as a whole is unpacked to one below the cache, until the image is closed.
 *
 * @throws as `openLayout`; ARCHIVE_INVALID, ARCHIVE_UNSAFE for a bad archive
 */
export async function openOciArchive(archive: string, query: ImageQuery): Promise<OciImage> {
  const { path, close } = await plainArchive(archive);
  try {
    const file = await open(path, "r");
    const members = await indexTar(file, { file: archive }).finally(() => file.close());
    return await openLayoutFiles(archiveFiles(archive, path, members), query, close);
  } catch (error) {
    await close();
    throw asSpacktainersError(error, { file: archive });
  }
}
