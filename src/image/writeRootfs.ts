import { createHash } from "node:crypto";
import { chmod, readFile, realpath, stat, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type EntryStream, imageMtime } from "../archive/entry.ts";
import { applyLayer } from "../archive/unpackEntries.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { makeDirectory } from "../util/makeDirectory.ts";
import { withTargetLock } from "../util/targetLock.ts";
import type { Layer } from "./layer.ts";
import { layerEntries } from "./layerEntries.ts";
import { LeftOut } from "./leftOut.ts";
import { type OutputOptions, replaceDirectory } from "./outputTarget.ts";

/** Options of {@link writeRootfs}. */
export interface RootfsOptions extends OutputOptions {
  /** Where it is noted which directories we made; default below `cacheHome()`. Nothing of it is in the image. */
  readonly stateDirectory?: string;
  /** Told in a sentence what of the image a directory does not have. */
  readonly onLeftOut?: ((message: string) => void) | undefined;
}

/**
 * Writes the root file system of an image to a directory. As root, files get the owners the image names; else they belong
 * to whoever runs us.
 *
 * @param layers from bottom to top
 * @throws SpacktainersError OUTPUT_EXISTS when a directory we did not make is there; LOCK_BUSY; ARCHIVE_INVALID, ARCHIVE_UNSAFE,
 *   CHECKSUM_MISMATCH for bad layers; DISK_FULL and other errors of the system
 */
export async function writeRootfs(
  directory: string,
  layers: readonly Layer[],
  options: RootfsOptions = {},
): Promise<void> {
  const target = resolve(directory);
  const state = options.stateDirectory ?? join(cacheHome(), "outputs");
  try {
    await withTargetLock(target, async () => {
      await replaceDirectory(
        target,
        options,
        (path) => isNoted(state, path),
        async (temporary) => {
          await unpackLayers(temporary, layers, options);
          // It is the image's root directory, whatever the umask.
          await chmod(temporary, 0o755);
          await utimes(temporary, imageMtime, imageMtime);
        },
      );
      await note(state, target);
    });
  } catch (error) {
    throw asSpacktainersError(error, { file: target });
  }
}

/**
 * Applies layers to a directory, in order. Device files and FIFOs in base layers are left out: they need root, and runtimes
 * make their own. So are extended attributes. What is left out is told.
 * @param directory must exist and be empty
 */
export async function unpackLayers(
  directory: string,
  layers: readonly Layer[],
  options: Pick<RootfsOptions, "onBytes" | "onLeftOut"> = {},
): Promise<void> {
  const owner = process.geteuid?.() === 0 ? "keep" : "ignore";
  const leftOut = new LeftOut();
  for (const layer of layers) {
    const entries = layerEntries(layer, {
      xattrs: true,
      onSpecial: (path) => leftOut.noteSpecial(path),
    });
    await applyLayer(directory, owner === "keep" ? entries : withoutPrivileges(entries), {
      owner,
      onEntry: (entry) => {
        leftOut.noteEntry(entry);
        if (entry.type === "file") options.onBytes?.(entry.size);
      },
    });
  }
  const message = leftOut.message("the directory");
  if (message !== undefined) options.onLeftOut?.(message);
}

/**
 * Files that belong to whoever runs us must not carry set-user-ID bits: they would lend this user's rights to everybody on
 * the machine.
 */
async function* withoutPrivileges(entries: EntryStream): EntryStream {
  for await (const entry of entries)
    yield entry.type === "file" ? { ...entry, mode: entry.mode & 0o1777 } : entry;
}

/** The note about a directory: which one it was, so that another one in its place is not taken for it. */
async function note(state: string, directory: string): Promise<void> {
  try {
    await makeDirectory(state);
    await writeFileAtomically(await notePath(state, directory), JSON.stringify(await identity(directory)));
  } catch (error) {
    throw asSpacktainersError(error, { file: state });
  }
}

async function isNoted(state: string, directory: string): Promise<boolean> {
  try {
    const { inode, born } = await identity(directory);
    const json: unknown = JSON.parse(await readFile(await notePath(state, directory), "utf8"));
    return isJsonObject(json) && json.inode === inode && json.born === born;
  } catch {
    return false;
  }
}

/** Inode numbers are given out again; together with the time of birth they name one directory. */
async function identity(directory: string): Promise<{ readonly inode: string; readonly born: string }> {
  const { dev, ino, birthtimeNs } = await stat(directory, { bigint: true });
  return { inode: `${dev}:${ino}`, born: String(birthtimeNs) };
}

async function notePath(state: string, directory: string): Promise<string> {
  const path = await realpath(directory);
  return join(state, `${createHash("sha256").update(path).digest("hex")}.json`);
}
