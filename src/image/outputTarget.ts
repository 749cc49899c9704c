/** Whether an output may go where the user wants it, and making it appear whole. */
import { createReadStream } from "node:fs";
import { lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Entry } from "../archive/entry.ts";
import { readTar } from "../archive/readTar.ts";
import { refuseSpecialFile, sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { makeDirectory } from "../util/makeDirectory.ts";
import { removeTree } from "../util/removeTree.ts";

/** Common options of everything that writes an image. */
export interface OutputOptions {
  /** Replace what is there even if spacktainers did not make it. */
  readonly force?: boolean;
  /** Told of bytes as they are written. */
  readonly onBytes?: (bytes: number) => void;
}

/** The refusal to overwrite something that we did not make. */
export function outputExists(path: string, what: string): SpacktainersError {
  return new SpacktainersError("OUTPUT_EXISTS", `${what} exists already and was not made by spacktainers`, {
    place: { file: path },
    hint: "choose another place, remove it, or overwrite it with --force",
  });
}

/**
 * Writes a file whole or not at all.
 * @param isOurs recognizes an earlier output of spacktainers by the file's path
 * @throws SpacktainersError OUTPUT_EXISTS; DISK_FULL and other errors of the system
 */
export async function replaceFile(
  path: string,
  options: OutputOptions,
  isOurs: (path: string) => Promise<boolean>,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  const directory = dirname(target);
  let temporary: string | undefined;
  try {
    const facts = await lstat(target).catch(ignoreMissing);
    if (facts?.isDirectory() === true)
      throw new SpacktainersError("OUTPUT_EXISTS", "a directory is where the file should go", {
        place: { file: target },
      });
    await refuseSpecialFile(target);
    if (facts !== undefined && options.force !== true && facts.size > 0 && !(await isOurs(target)))
      throw outputExists(target, "a file");
    await makeDirectory(directory);
    await sweepTemporaries(directory);
    temporary = temporaryPath(directory);
    await write(temporary);
    await rename(temporary, target);
  } catch (error) {
    // What made the work fail is the news, not what then could not be removed.
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {});
    throw asSpacktainersError(error, { file: target });
  }
}

/**
 * Writes a directory whole or not at all; one that is there is replaced.
 * @param isOurs recognizes an earlier output of spacktainers
 * @throws SpacktainersError OUTPUT_EXISTS; DISK_FULL and other errors of the system
 */
export async function replaceDirectory(
  path: string,
  options: OutputOptions,
  isOurs: (path: string) => Promise<boolean>,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  const parent = dirname(target);
  if (basename(target) === "")
    throw new SpacktainersError("USAGE", "the root directory cannot be an output", {
      place: { file: target },
    });
  let temporary: string | undefined;
  try {
    const replaces = await mayReplaceDirectory(target, options, isOurs);
    await makeDirectory(parent);
    await sweepTemporaries(parent);
    temporary = temporaryPath(parent);
    await mkdir(temporary, { mode: 0o755 });
    await write(temporary);
    if (!replaces) {
      await rename(temporary, target);
      return;
    }
    // A directory cannot be exchanged in one step: the old one steps aside first.
    const aside = temporaryPath(parent);
    await rename(target, aside);
    await rename(temporary, target).catch(async (error: unknown) => {
      await rename(aside, target);
      throw error;
    });
    await removeTree(aside);
  } catch (error) {
    // What made the work fail is the news, not what then could not be removed.
    if (temporary !== undefined) await removeTree(temporary).catch(() => {});
    throw asSpacktainersError(error, { file: target });
  }
}

/** True when a directory with something in it is there and may be replaced; false when there is nothing in the way. */
export async function mayReplaceDirectory(
  target: string,
  options: OutputOptions,
  isOurs: (path: string) => Promise<boolean>,
): Promise<boolean> {
  const facts = await stat(target).catch(ignoreMissing);
  if (facts === undefined) return false;
  if (!facts.isDirectory())
    throw new SpacktainersError("OUTPUT_EXISTS", "a file is where the directory should go", {
      place: { file: target },
    });
  if ((await readdir(target)).length > 0 && options.force !== true && !(await isOurs(target)))
    throw outputExists(target, "a directory with something in it");
  return true;
}

/** The first file of a tar archive with its content (at most 4 MiB), or undefined when it is something else. */
export async function firstTarFile(
  path: string,
): Promise<{ readonly entry: Entry; readonly content: string } | undefined> {
  const source = createReadStream(path, { highWaterMark: 64 * 1024 });
  try {
    for await (const entry of readTar(source, { where: { file: path } })) {
      if (entry.type !== "file") continue;
      if (entry.size > 4 * 2 ** 20) return undefined;
      const parts: Uint8Array[] = [];
      for await (const chunk of entry.content) parts.push(chunk);
      return { entry, content: Buffer.concat(parts).toString("utf8") };
    }
    return undefined;
  } catch {
    return undefined;
  } finally {
    source.destroy();
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
  throw error;
}
