import { chmod, link, lstat, open, readFile, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ScaffoldFile } from "../../scaffold/types.ts";
import { temporaryBeside, writeFileAtomically } from "../../util/atomicFile.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";

/** What became of files that were to be made. Paths are those of the request. */
export interface CreatedFiles {
  readonly created: readonly string[];
  /** Those that were there already, as they were to be. */
  readonly same: readonly string[];
  /** Those that were there with other contents: they were left alone. */
  readonly kept: readonly string[];
}

/**
 * Makes files that are not there yet; nothing that exists is changed. When one cannot be made, those that were are removed again,
 * with the folders made for them.
 *
 * @param root absolute folder that paths start from
 * @throws errors of the system; the signal's reason
 */
export async function createFiles(
  root: string,
  files: readonly ScaffoldFile[],
  signal: AbortSignal,
): Promise<CreatedFiles> {
  const created: string[] = [];
  const same: string[] = [];
  const kept: string[] = [];
  const folders = new Set<string>();
  try {
    for (const file of files) {
      signal.throwIfAborted();
      const path = join(root, file.path);
      for (const folder of await missingFolders(dirname(path))) folders.add(folder);
      if (await createFile(path, file)) created.push(file.path);
      else ((await hasContent(path, file.content)) ? same : kept).push(file.path);
    }
  } catch (error) {
    for (const path of created) await unlink(join(root, path)).catch(() => {});
    // The innermost first; what others put there meanwhile stays.
    for (const folder of [...folders].sort().reverse()) await rmdir(folder).catch(() => {});
    throw error;
  }
  return { created, same, kept };
}

/** Makes one file whole or not at all; false where something is there already. */
async function createFile(path: string, { content, executable = false }: ScaffoldFile): Promise<boolean> {
  if (await isThere(path)) return false;
  const temporary = await temporaryBeside(path);
  await writeFileAtomically(temporary, content);
  try {
    if (executable) await chmod(temporary, 0o755);
    return await nameFile(temporary, path, content);
  } finally {
    await removeIfPossible(temporary);
  }
}

/** Gives a finished file its name, unless something has it. */
async function nameFile(temporary: string, path: string, content: ScaffoldFile["content"]): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
  }
  // A file system without links.
  const file = await open(path, "wx", 0o644).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    await file.writeFile(content);
    return true;
  } finally {
    await file.close();
  }
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function hasContent(path: string, content: string | Uint8Array): Promise<boolean> {
  const found = await readFile(path).catch(() => undefined);
  return found?.equals(typeof content === "string" ? Buffer.from(content) : content) ?? false;
}

/** Of a folder and those above it, the ones that do not exist, outermost first. */
async function missingFolders(folder: string): Promise<readonly string[]> {
  if (await isThere(folder)) return [];
  const above = dirname(folder);
  return above === folder ? [] : [...(await missingFolders(above)), folder];
}
