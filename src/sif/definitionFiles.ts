/** Files of this machine that a definition's `%files` and `%appfiles` put into an image. */
import { createReadStream, type Stats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { archivePath, fileSystemPath, nameOfBytes } from "../archive/names.ts";
import type { DefContents, DefFileCopy } from "../definitions/defContents.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { matchesGlob } from "../util/matchesGlob.ts";
import type { LayerTree } from "./layerTree.ts";
import type { OwnEntry } from "./mergeLayers.ts";

/** Files below one `%files`; more is a mistake. */
const mostFiles = 1_000_000;

/**
 * The files a definition asks for, where they go. As with Apptainer (`cp -fLr`): links are followed; a target that ends
 * in a slash or is a directory gets the source in it. Unlike there, nothing of this machine gets into the image but names
 * and content: modes are 0755 for what may be executed, else 0644, and all times are the image's.
 *
 * @param directory what relative sources start from: the folder of the definition
 * @param tree what is in the image
 * @param mtime time of the entries, in seconds since 1970
 * @throws {SpacktainersError} `DEFINITION_INVALID` when a source is not there or a target cannot be
 */
export async function definitionFiles(
  contents: Pick<DefContents, "files" | "apps">,
  directory: string,
  tree: LayerTree,
  mtime: number,
): Promise<readonly OwnEntry[]> {
  const entries = new Map<string, OwnEntry>();
  const isDirectory = (path: string): boolean =>
    path === "" ||
    (entries.get(path)?.type ?? (tree.isDirectory(path) ? "directory" : "file")) === "directory";
  const add = (entry: OwnEntry, place: Place): void => {
    if (entries.size >= mostFiles)
      throw new SpacktainersError("DEFINITION_INVALID", `more than ${mostFiles} files`, { place });
    // A directory that is there keeps its mode.
    if (entry.type === "directory" && isDirectory(entry.path)) return;
    entries.delete(entry.path);
    entries.set(entry.path, entry);
  };
  const copy = async (one: DefFileCopy, root: string): Promise<void> => {
    const sources = await expand(resolve(directory, one.source), one.source, one.place);
    const target = targetPath(one, root);
    const into = one.target.endsWith("/") || sources.length > 1 || isDirectory(target);
    for (const source of sources) {
      const path = into && target !== "" ? `${target}/${basename(source)}` : into ? basename(source) : target;
      await addTree(source, path, [], (entry) => add(entry, one.place), mtime, one.place);
    }
  };
  for (const one of contents.files) await copy(one, "");
  for (const app of contents.apps) for (const one of app.files) await copy(one, `scif/apps/${app.name}`);
  return [...entries.values()];
}

function targetPath(copy: DefFileCopy, root: string): string {
  try {
    const path = archivePath(copy.target, "relative");
    return root === "" ? path : path === "" ? root : `${root}/${path}`;
  } catch (error) {
    throw new SpacktainersError("DEFINITION_INVALID", asSpacktainersError(error).message, {
      place: copy.place,
    });
  }
}

/** The files a pattern with `*` and `?` stands for, sorted. */
async function expand(path: string, shown: string, place: Place): Promise<readonly string[]> {
  let found = ["/"];
  for (const part of path.split("/").filter((one) => one !== "")) {
    if (!/[*?]/.test(part)) {
      found = found.map((folder) => join(folder, part));
      continue;
    }
    const next: string[] = [];
    for (const folder of found) {
      const names = await readdir(folder).catch(() => []);
      for (const name of names.sort())
        if ((part.startsWith(".") || !name.startsWith(".")) && matchesGlob(name, part))
          next.push(join(folder, name));
    }
    found = next;
  }
  if (found.length === 0)
    throw new SpacktainersError("DEFINITION_INVALID", `\`${shown}\` matches no file`, { place });
  return found;
}

async function addTree(
  source: string,
  path: string,
  above: readonly string[],
  add: (entry: OwnEntry) => void,
  mtime: number,
  place: Place,
): Promise<void> {
  let facts: Stats;
  try {
    facts = await stat(fileSystemPath(source));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "is not there" : "cannot be read";
    throw new SpacktainersError("DEFINITION_INVALID", `\`${source}\` ${why}`, { place, cause: error });
  }
  if (facts.isFile()) {
    const content = {
      size: facts.size,
      open: () =>
        createReadStream(fileSystemPath(source), { highWaterMark: 2 ** 20 }) as AsyncIterable<Uint8Array>,
    };
    add({ type: "file", path, mode: (facts.mode & 0o111) === 0 ? 0o644 : 0o755, mtime, content });
    return;
  }
  if (!facts.isDirectory())
    throw new SpacktainersError("DEFINITION_INVALID", `\`${source}\` is no file and no directory`, { place });
  const real = await realpath(fileSystemPath(source));
  if (above.includes(real))
    throw new SpacktainersError("DEFINITION_INVALID", `\`${source}\` is a link to a directory it is in`, {
      place,
    });
  if (path !== "") add({ type: "directory", path, mode: 0o755, mtime });
  const names = (await readdir(fileSystemPath(source), { encoding: "buffer" }))
    .map((name) => nameOfBytes(name))
    .sort();
  for (const name of names)
    await addTree(
      join(source, name),
      path === "" ? name : `${path}/${name}`,
      [...above, real],
      add,
      mtime,
      place,
    );
}
