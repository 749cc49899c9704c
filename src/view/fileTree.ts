/**
 * The files of an image, put together from the inventories of its parts in layer order, with look-ups that follow
 * symbolic links as the kernel does inside the image's root.
 *
 * Links come from archives that strangers made: the number of links followed and the length of paths are bounded, and
 * nothing resolves to a place outside the root (`..` at the root stays at the root).
 */

import type { Inventory, InventoryEntry } from "../archive/inventory.ts";
import { baseName, parentPath } from "../archive/names.ts";

/** Links followed in one look-up before it is given up, as Linux does. */
const maxLinks = 40;
/** Longest path looked up, in characters (PATH_MAX). */
const maxPath = 4096;

/** A path that was followed to its end. */
export interface ResolvedFile {
  /** Path relative to the image's root without links, `.` or `..`; empty for the root itself. */
  readonly path: string;
  readonly entry: InventoryEntry;
}

const rootEntry: InventoryEntry = { path: "", type: "directory", mode: 0o755, size: 0 };

/** Removes leading slashes and a trailing one: the form of paths in inventories. */
export function imagePath(path: string): string {
  let start = 0;
  while (path.charCodeAt(start) === 47) start++;
  let end = path.length;
  while (end > start && path.charCodeAt(end - 1) === 47) end--;
  return start === 0 && end === path.length ? path : path.slice(start, end);
}

/** A path → entry look-up over several inventories. Later inventories lie over earlier ones, as layers do. */
export class FileTree {
  readonly #entries = new Map<string, InventoryEntry>();
  /** Real path of directories already asked for; `undefined` when there is no such directory. */
  readonly #directories = new Map<string, string | undefined>();
  /** Names by directory, once somebody asked; those in {@link FileTree.#unsorted} are not in order yet. */
  #children: Map<string, string[]> | undefined;
  readonly #unsorted = new Set<string>();

  /**
   * @param inventories parts of the image, lowest first. Directories that no inventory lists but that contain entries are
   * added with mode 0755.
   */
  constructor(inventories: Iterable<Inventory>) {
    for (const inventory of inventories) this.add(inventory);
  }

  /** Lays one more inventory over the tree. */
  add(inventory: Inventory): void {
    this.#directories.clear();
    let lastParent = "";
    for (const entry of inventory.entries) {
      const path = imagePath(entry.path);
      if (path === "") continue;
      const parent = parentPath(path);
      if (parent !== lastParent) {
        this.#addParents(parent);
        lastParent = parent;
      }
      const before = this.#entries.get(path);
      if (before?.type === "directory" && entry.type !== "directory") this.#removeBelow(path);
      this.#entries.set(path, entry);
      if (before === undefined && this.#children !== undefined) this.#addChild(this.#children, path);
    }
  }

  /** Takes away what is at a path, with all that is below it. */
  remove(path: string): void {
    const gone = imagePath(path);
    this.#directories.clear();
    if (!this.#entries.delete(gone)) return;
    this.#removeBelow(gone);
  }

  /** Takes away all that is below a directory. */
  removeBelow(path: string): void {
    this.#directories.clear();
    this.#removeBelow(imagePath(path));
  }

  /** Number of entries, implied directories included. */
  get size(): number {
    return this.#entries.size;
  }

  /** All paths with their entries, in the order they were first added. */
  entries(): IterableIterator<[string, InventoryEntry]> {
    return this.#entries.entries();
  }

  /** The entry at exactly this path, links not followed, neither in the last component nor before it. */
  at(path: string): InventoryEntry | undefined {
    return path === "" ? rootEntry : this.#entries.get(path);
  }

  /**
   * Follows a path to its end.
   * @param path absolute, or relative to the image's root
   * @returns what is there after all links, or undefined when a component is missing, is not a directory, or the links
   * form a loop
   */
  resolve(path: string): ResolvedFile | undefined {
    if (path.length > maxPath) return undefined;
    const real = this.#follow(imagePath(path), { links: 0 });
    if (real === undefined) return undefined;
    const entry = this.at(real);
    return entry === undefined ? undefined : { path: real, entry };
  }

  /** Whether the path leads to a directory. */
  isDirectory(path: string): boolean {
    return this.resolve(path)?.entry.type === "directory";
  }

  /** Whether the path leads to anything. */
  exists(path: string): boolean {
    return this.resolve(path) !== undefined;
  }

  /**
   * The path of the file's content, in which two names of one file agree: links and hard links followed to the end.
   * @returns undefined when the path leads nowhere
   */
  identity(path: string): string | undefined {
    const resolved = this.resolve(path);
    return resolved === undefined ? undefined : this.hardLinkTarget(resolved).path;
  }

  /** The file a hard link stands for; the file itself if it is not one, or when the hard link leads nowhere. */
  hardLinkTarget(file: ResolvedFile): ResolvedFile {
    let current = file;
    for (let count = 0; current.entry.type === "hardlink" && count < maxLinks; count++) {
      const path = imagePath(current.entry.target ?? "");
      const entry = this.#entries.get(path);
      if (entry === undefined) break;
      current = { path, entry };
    }
    return current;
  }

  /**
   * Names in a directory, sorted.
   * @param directory path relative to the root, without links (see {@link resolve})
   */
  children(directory: string): readonly string[] {
    if (this.#children === undefined) {
      this.#children = new Map();
      for (const path of this.#entries.keys()) this.#addChild(this.#children, path);
    }
    const names = this.#children.get(directory);
    if (names !== undefined && this.#unsorted.delete(directory)) names.sort();
    return names ?? [];
  }

  #addChild(children: Map<string, string[]>, path: string): void {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    const name = path.slice(slash + 1);
    const names = children.get(parent);
    if (names === undefined) {
      children.set(parent, [name]);
      return;
    }
    // Inventories are sorted: names mostly come in order.
    if (name < (names.at(-1) ?? "")) this.#unsorted.add(parent);
    names.push(name);
  }

  #addParents(parent: string): void {
    for (let path = parent; path !== "" && !this.#entries.has(path); path = parentPath(path)) {
      this.#entries.set(path, { path, type: "directory", mode: 0o755, size: 0 });
      if (this.#children !== undefined) this.#addChild(this.#children, path);
    }
  }

  #removeBelow(path: string): void {
    this.#children = undefined;
    const prefix = `${path}/`;
    for (const other of this.#entries.keys()) if (other.startsWith(prefix)) this.#entries.delete(other);
  }

  /** Real path of `path`, or undefined. `budget` counts links over the whole look-up. */
  #follow(path: string, budget: { links: number }): string | undefined {
    const direct = path === "" ? rootEntry : this.#entries.get(path);
    if (direct !== undefined && direct.type !== "symlink") return path;
    const parent = this.#realDirectory(parentPath(path), budget);
    if (parent === undefined) return undefined;
    const name = baseName(path);
    if (name === "" || name === ".") return parent;
    if (name === "..") return parentPath(parent);
    const full = parent === "" ? name : `${parent}/${name}`;
    const entry = this.#entries.get(full);
    if (entry === undefined) return undefined;
    if (entry.type !== "symlink") return full;
    const target = entry.target ?? "";
    if (target === "" || ++budget.links > maxLinks) return undefined;
    const next = target.startsWith("/") ? imagePath(target) : `${parent}/${imagePath(target)}`;
    return next.length > maxPath ? undefined : this.#follow(imagePath(next), budget);
  }

  #realDirectory(path: string, budget: { links: number }): string | undefined {
    if (path === "") return "";
    const known = this.#directories.get(path);
    if (known !== undefined || this.#directories.has(path)) return known;
    const before = budget.links;
    const real = this.#follow(path, budget);
    const directory = real === undefined || this.at(real)?.type === "directory" ? real : undefined;
    // A look-up that ran out of links part of the way says nothing about the directory on its own.
    if (directory !== undefined || before === 0) this.#directories.set(path, directory);
    return directory;
  }
}
