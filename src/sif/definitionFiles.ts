/** Files of this machine that a definition's `%files` and `%appfiles` put into an image. */
import { createReadStream, type Stats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { archivePath, fileSystemPath, nameOfBytes } from "../archive/names.ts";
import type { DefContents, DefFileCopy } from "../definitions/defContents.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { matchesShellPattern, parseShellPattern, type ShellPattern } from "../util/shellPattern.ts";
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
    const { place } = one;
    const sources = await expand(directory, one);
    for (const { source, shown } of sources) {
      const wanted = one.target ?? (one.source.endsWith("/") ? `${shown}/` : shown);
      const target = targetPath(wanted, root, place);
      const into =
        wanted.endsWith("/") || (one.target !== undefined && sources.length > 1) || isDirectory(target);
      const path = into && target !== "" ? `${target}/${basename(source)}` : into ? basename(source) : target;
      await addTree(source, path, { above: [], add: (entry) => add(entry, place), mtime, place });
    }
  };
  for (const one of contents.files) await copy(one, "");
  for (const app of contents.apps) for (const one of app.files) await copy(one, `scif/apps/${app.name}`);
  return [...entries.values()];
}

function targetPath(target: string, root: string, place: Place): string {
  try {
    const path = archivePath(target, "relative");
    return root === "" ? path : path === "" ? root : `${root}/${path}`;
  } catch (error) {
    throw new SpacktainersError("DEFINITION_INVALID", asSpacktainersError(error).message, { place });
  }
}

/**
 * The files a source stands for, sorted, and what each would be called by whoever wrote it without a pattern. Patterns are
 * those of a shell, as with Apptainer, which gives a source to one; but nothing else of a shell's language is: `$NAME` is
 * the name of a file. As there, a pattern that matches nothing may be the name of a file itself.
 */
async function expand(
  directory: string,
  { source: pattern, place }: DefFileCopy,
): Promise<readonly { readonly source: string; readonly shown: string }[]> {
  const parts = pattern.split("/").filter((one) => one !== "");
  const isAbsolute = pattern.startsWith("/");
  // The folder of the definition is no part of the pattern.
  let found = [{ source: isAbsolute ? "/" : directory, shown: isAbsolute ? "/" : "" }];
  for (const part of parts) {
    const parsed = parseShellPattern(part);
    const next: typeof found = [];
    for (const { source, shown } of found) {
      const names = parsed.isPattern ? await namesMatching(source, part, parsed) : [parsed.literal];
      for (const name of names) next.push({ source: join(source, name), shown: join(shown, name) });
      if (next.length > mostFiles)
        throw new SpacktainersError("DEFINITION_INVALID", `\`${pattern}\` matches too many files`, { place });
    }
    found = next;
  }
  if (found.length > 0) return found;
  const literal = parts.map((part) => parseShellPattern(part).literal).join("/");
  const source = resolve(directory, isAbsolute ? `/${literal}` : literal);
  const isThere = await stat(fileSystemPath(source)).then(
    () => true,
    () => false,
  );
  if (isThere) return [{ source, shown: literal }];
  throw new SpacktainersError("DEFINITION_INVALID", `\`${pattern}\` matches no file`, { place });
}

/** Names in a folder that a pattern stands for, sorted; those that begin with a point only where the pattern does. */
async function namesMatching(
  folder: string,
  part: string,
  pattern: ShellPattern,
): Promise<readonly string[]> {
  const names = await readdir(fileSystemPath(folder), { encoding: "buffer" }).catch(() => []);
  return names
    .map((name) => nameOfBytes(name))
    .filter((name) => (/^\\?\./.test(part) || !name.startsWith(".")) && matchesShellPattern(name, pattern))
    .sort();
}

/** Where files go. */
interface TreeCopy {
  readonly above: readonly string[];
  readonly add: (entry: OwnEntry) => void;
  readonly mtime: number;
  readonly place: Place;
}

async function addTree(source: string, path: string, { above, add, mtime, place }: TreeCopy): Promise<void> {
  let facts: Stats;
  try {
    facts = await stat(fileSystemPath(source));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "is not there" : "cannot be read";
    throw new SpacktainersError("DEFINITION_INVALID", `\`${source}\` ${why}`, {
      place,
      cause: error,
      ...(/[$`~]/.test(source)
        ? { hint: "variables, commands and ~ are not expanded: write the path, or use %arguments" }
        : {}),
    });
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
    throw new SpacktainersError("DEFINITION_INVALID", `\`${source}\` is neither a file nor a directory`, {
      place,
    });
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
    await addTree(join(source, name), path === "" ? name : `${path}/${name}`, {
      above: [...above, real],
      add,
      mtime,
      place,
    });
}
