import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { refuseSpecialFile, temporaryPath } from "./atomicFile.ts";
import { cacheHome } from "./cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "./errors.ts";
import { makeDirectory } from "./makeDirectory.ts";

/**
 * Tries whether an output could be written, before work is done for it: nothing stays behind.
 *
 * @param path of the file or directory to be
 * @param options.named what an error names in its place
 * @param options.what what an error calls it; default `the output`
 * @throws SpacktainersError ACCESS_DENIED, DISK_FULL, IO, with the path; OUTPUT_EXISTS where a device, a pipe or a socket is
 */
export async function expectWritable(
  path: string,
  { named = resolve(path), what = "the output" }: { readonly named?: string; readonly what?: string } = {},
): Promise<void> {
  const target = resolve(path);
  await refuseSpecialFile(target);
  let folder = dirname(target);
  while (folder !== dirname(folder) && (await isMissing(folder))) folder = dirname(folder);
  await tryFolder(folder).catch((error: unknown) => {
    throw unwritable(what, named, error, "choose another place for it");
  });
}

/**
 * The cache home ({@link cacheHome}), made and tried.
 * @throws SpacktainersError ACCESS_DENIED, DISK_FULL, IO, with the variable to set
 */
export async function usableCacheHome(): Promise<string> {
  const folder = cacheHome();
  try {
    await makeDirectory(folder);
    await tryFolder(folder);
  } catch (error) {
    throw unwritable(
      "the cache home",
      folder,
      error,
      "set XDG_CACHE_HOME to a directory that you can write to",
    );
  }
  return folder;
}

async function tryFolder(folder: string): Promise<void> {
  const temporary = temporaryPath(folder);
  await mkdir(temporary);
  await rmdir(temporary);
}

function unwritable(what: string, file: string, cause: unknown, hint: string): SpacktainersError {
  const { code } = cause as NodeJS.ErrnoException;
  const place = { file };
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    const reason = code === "EROFS" ? "the file system is read-only" : "permission denied";
    return new SpacktainersError("ACCESS_DENIED", `${what} cannot be written: ${reason}`, {
      place,
      hint,
      cause,
    });
  }
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EEXIST") {
    const reason = code === "ENOENT" ? "no directory can be made there" : "a file is in its place";
    return new SpacktainersError("IO", `${what} cannot be written: ${reason}`, { place, hint, cause });
  }
  return asSpacktainersError(cause, place);
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
}
