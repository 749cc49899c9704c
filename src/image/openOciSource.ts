import { stat } from "node:fs/promises";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { ImageQuery, OciImage } from "./image.ts";
import { openLayout } from "./openLayout.ts";
import { openOciArchive } from "./openOciArchive.ts";

/**
 * Opens an image at a path: in an OCI layout when that is a directory, in the archive of one when it is a file.
 * @throws SpacktainersError as `openLayout` and `openOciArchive`; a hint says how to convert another kind of archive
 */
export async function openOciSource(path: string, query: ImageQuery): Promise<OciImage> {
  const facts = await stat(path).catch((error: unknown) => {
    throw asSpacktainersError(error, { file: path });
  });
  if (facts.isDirectory()) return openLayout(path, query);
  return openOciArchive(path, query).catch((error: unknown) => {
    const { code, message, place, hint, cause } = asSpacktainersError(error, { file: path });
    if (hint !== undefined || (code !== "NOT_FOUND" && code !== "ARCHIVE_INVALID")) throw error;
    throw new SpacktainersError(code, message, {
      place,
      hint: `use an OCI layout, or the archive of one; convert others with: skopeo copy docker-archive:${path} oci:DIR`,
      cause,
    });
  });
}
