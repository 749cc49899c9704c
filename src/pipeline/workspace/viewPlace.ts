/** Whether the view may be where it is to be: what is there must not be lost. */
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type FileTree, imagePath } from "../../view/fileTree.ts";

/** True when a path holds another or is the same: what lies at the first hides, or takes the place of, the second. */
export function holdsPath(outer: string, inner: string): boolean {
  const [above, below] = [imagePath(outer), imagePath(inner)];
  return above === "" || above === below || below.startsWith(`${above}/`);
}

/**
 * Refuses a place for the view at which the image has files already: the view is a link, which would hide them.
 *
 * @param tree base and packages
 * @param place of the environment
 * @throws SpacktainersError VIEW_CONFLICT
 */
export function refuseHidingView(tree: FileTree, viewPath: string, place: Place): void {
  const path = imagePath(viewPath);
  const entry = tree.at(path);
  if (entry === undefined || entry.type === "symlink") return;
  if (entry.type === "directory" && tree.children(path).length === 0) return;
  throw new SpacktainersError("VIEW_CONFLICT", `the view cannot be at ${viewPath}: there are files already`, {
    place,
    hint: "choose an empty place, such as /opt/view (view: root)",
  });
}

/** Files of a view that are no links: of Python environments, and, with metadata, of packages. */
const copies = /^(?:pyvenv\.cfg|bin\/[^/]+|\.spack\/.+)$/;
/** A part of a path that ends with a hash, as those of packages do. */
const hashed = /-[a-z2-7]{32}(?:\/|$)/;

/**
 * Refuses to replace a directory that is not a view: of views, nearly all files are links to packages.
 *
 * @param directory where the view is to be
 * @param root where packages are relocated to
 * @throws SpacktainersError OUTPUT_EXISTS; errors of the system
 */
export async function refuseReplacingOthers(directory: string, root: string): Promise<void> {
  const kept = await foreignFile(directory, "", root);
  if (kept === undefined) return;
  throw new SpacktainersError("OUTPUT_EXISTS", `there is a directory that is not a view: it has ${kept}`, {
    place: { file: directory },
    hint: "remove it, or choose another place with --view",
  });
}

/** A file that no view has, by its path below the directory; undefined when there is none, or no directory. */
async function foreignFile(directory: string, below: string, root: string): Promise<string | undefined> {
  const items = await readdir(join(directory, below), { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  for (const item of items) {
    const path = below === "" ? item.name : `${below}/${item.name}`;
    if (item.isDirectory()) {
      const found = await foreignFile(directory, path, root);
      if (found !== undefined) return found;
    } else if (item.isSymbolicLink()) {
      const target = await readlink(join(directory, path));
      if (target.startsWith("/") && !target.startsWith(`${root}/`) && !hashed.test(target)) return path;
    } else if (!copies.test(path) && (await lstat(join(directory, path))).nlink === 1) return path;
  }
  return undefined;
}
