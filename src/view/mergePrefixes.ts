/**
 * The merge of package prefixes into one tree, by Spack's rules (`docs/formats.md`, "Views"): prefixes in view order,
 * names sorted, the first file of a path wins, symbolic links to directories near the top of a prefix become directories.
 */
import type { InventoryEntry } from "../archive/inventory.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type FileTree, imagePath } from "./fileTree.ts";
import type { ViewPackage, ViewShadow } from "./types.ts";

/** Links to directories are followed only this near the top of a prefix; deeper ones are shown as links. */
const deepestExpandedLink = 1;
/** Directories entered below one prefix; links that multiply directories stop here. */
const maxDirectories = 2_000_000;

/** A file of a package on its way to a path of the view. */
export interface MergedFile {
  readonly package: ViewPackage;
  /** Path in the image by which the package names it; may lead through links. */
  readonly source: string;
  readonly entry: InventoryEntry;
}

interface MergedDirectory {
  readonly source: string;
  readonly package: ViewPackage | undefined;
}

/** What was merged. Keys are paths relative to the view, in the order Spack creates them. */
export interface MergedTree {
  readonly directories: ReadonlyMap<string, MergedDirectory>;
  readonly files: ReadonlyMap<string, MergedFile>;
  readonly shadows: readonly ViewShadow[];
}

/** Gathers prefixes one after the other. */
export class PrefixMerger {
  readonly #tree: FileTree;
  readonly #directories = new Map<string, MergedDirectory>();
  readonly #files = new Map<string, MergedFile>();
  readonly #losers = new Map<string, string[]>();
  readonly #skipped: string | undefined;
  #package: ViewPackage | undefined;
  #projection = "";
  #visited = 0;

  /**
   * @param tree all files the prefixes' links may lead to
   * @param skipped name that is left out wherever it occurs
   */
  constructor(tree: FileTree, skipped?: string) {
    this.#tree = tree;
    this.#skipped = skipped;
  }

  /**
   * Adds one directory tree.
   * @param source path of the tree in the image
   * @param projection folder of the view it goes to, empty for the view itself
   * @throws SpacktainersError `VIEW_CONFLICT` when a file would have to be where a directory is
   */
  add(viewPackage: ViewPackage, source: string, projection: string): void {
    this.#package = viewPackage;
    this.#projection = projection;
    this.#visited = 0;
    let path = "";
    for (const part of projection.split("/")) {
      if (part === "") continue;
      path = path === "" ? part : `${path}/${part}`;
      const file = this.#files.get(path);
      if (file !== undefined)
        throw clash(path, `/${file.source}`, `the projection of ${viewPackage.spec.name}`);
      if (!this.#directories.has(path)) this.#directories.set(path, { source: path, package: undefined });
    }
    const real = this.#tree.resolve(source);
    if (real?.entry.type === "directory") this.#visit(imagePath(source), real.path, "", 0);
  }

  /** The result so far. */
  result(): MergedTree {
    const shadows = [...this.#losers].map(([path, losers]) => ({
      path,
      winner: `/${this.#files.get(path)?.source ?? path}`,
      losers,
    }));
    return { directories: this.#directories, files: this.#files, shadows };
  }

  /** `real` is the directory's path without links, `source` the one through which it is reached. */
  #visit(source: string, real: string, relative: string, depth: number): void {
    if (++this.#visited > maxDirectories)
      throw new SpacktainersError("VIEW_CONFLICT", `too many directories below /${source} to merge`);
    for (const name of this.#tree.children(real)) {
      if (name === this.#skipped) continue;
      const path = real === "" ? name : `${real}/${name}`;
      const entry = this.#tree.at(path);
      if (entry === undefined) continue;
      const childSource = `${source}/${name}`;
      const childRelative = relative === "" ? name : `${relative}/${name}`;
      if (entry.type === "directory") {
        if (this.#enterDirectory(childSource, childRelative))
          this.#visit(childSource, path, childRelative, depth + 1);
        continue;
      }
      if (entry.type === "symlink" && depth <= deepestExpandedLink) {
        const target = this.#tree.resolve(path);
        // A plain comparison of strings, as Spack does it: `lib/x -> ../lib64` counts as inside `lib`.
        if (target?.entry.type === "directory" && target.path.startsWith(real)) {
          if (this.#enterDirectory(childSource, childRelative))
            this.#visit(childSource, target.path, childRelative, depth + 1);
          continue;
        }
      }
      this.#addFile(childSource, childRelative, entry);
    }
  }

  #enterDirectory(source: string, relative: string): boolean {
    const path = this.#destination(relative);
    const file = this.#files.get(path);
    if (file !== undefined) {
      if (!this.#same(file.source, source)) throw clash(path, `/${file.source}`, `/${source}`);
      this.#files.delete(path);
      this.#losers.delete(path);
    }
    if (!this.#directories.has(path)) this.#directories.set(path, { source, package: this.#package });
    return true;
  }

  #addFile(source: string, relative: string, entry: InventoryEntry): void {
    const viewPackage = this.#package;
    if (viewPackage === undefined) return;
    const path = this.#destination(relative);
    const isLink = entry.type === "symlink";
    const directory = this.#directories.get(path);
    if (directory !== undefined) {
      if (!isLink || !this.#same(directory.source, source))
        throw clash(path, `/${directory.source}`, `/${source}`);
      return;
    }
    const before = this.#files.get(path);
    if (before === undefined) {
      this.#files.set(path, { package: viewPackage, source, entry });
    } else if (!this.#same(before.source, source)) {
      const losers = this.#losers.get(path);
      if (losers === undefined) this.#losers.set(path, [`/${source}`]);
      else losers.push(`/${source}`);
    } else if (!isLink) {
      // Both names lead to one file: show the file rather than the link to it. It moves to its own package's turn.
      this.#files.delete(path);
      this.#files.set(path, { package: viewPackage, source, entry });
    }
  }

  #destination(relative: string): string {
    return this.#projection === "" ? relative : `${this.#projection}/${relative}`;
  }

  #same(first: string, second: string): boolean {
    const identity = this.#tree.identity(first);
    return identity !== undefined && identity === this.#tree.identity(second);
  }
}

function clash(path: string, first: string, second: string): SpacktainersError {
  return new SpacktainersError(
    "VIEW_CONFLICT",
    `${path} of the view would be a file and a directory: ${first} and ${second}`,
    { hint: "leave one of the two packages out of the view (exclude), or give it a separate projection" },
  );
}
