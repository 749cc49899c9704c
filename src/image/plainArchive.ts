import { constants, createReadStream } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compressionOf, decompressStream } from "../archive/decompress.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";

/** An archive whose members can be read where they lie. */
export interface PlainArchive {
  readonly path: string;
  /** Removes what had to be written. */
  close(): Promise<void>;
}

/**
 * The archive itself, or where it is compressed as a whole a copy below the cache that is not, until it is closed.
 * @throws SpacktainersError NOT_FOUND; ARCHIVE_INVALID; DISK_FULL and other errors of the system
 */
export async function plainArchive(path: string): Promise<PlainArchive> {
  const place = { file: path };
  let temporary: string | undefined;
  const close = async (): Promise<void> => {
    if (temporary !== undefined) await rm(temporary, { force: true });
  };
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const head = Buffer.alloc(18);
    const length = await (async () => {
      // A pipe would be waited for.
      if (!(await file.stat()).isFile())
        throw new SpacktainersError("ARCHIVE_INVALID", "an archive has to be a file", { place });
      return (await file.read(head, 0, head.length, 0)).bytesRead;
    })().finally(() => file.close());
    if (compressionOf(head.subarray(0, length)) === "none") return { path, close };
    const folder = join(cacheHome(), "archives");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await sweepTemporaries(folder);
    temporary = temporaryPath(folder);
    const content = decompressStream(createReadStream(path, { highWaterMark: 2 ** 20 }), { where: place });
    await writeFile(temporary, content, { flag: "wx", mode: 0o600 });
    return { path: temporary, close };
  } catch (error) {
    await close();
    throw asSpacktainersError(error, place);
  }
}
