/**
 * The file system that layers make together, without the files' bytes: which entry of which layer is seen under which name
 * in the end. The rules are those of `applyLayer`, which writes a directory: later layers replace earlier ones, whiteouts
 * hide what lies below, symbolic links among the directories of a path are followed with the image's root as the root.
 */
import { resolveLink } from "../archive/directoryWriter.ts";
import { imageMtime } from "../archive/entry.ts";
import { baseName, joinEntryPath, parentPath, printable } from "../archive/names.ts";
import { layerMeaning } from "../archive/unpackEntries.ts";
import { SpacktainersError } from "../util/errors.ts";

/** Linux gives up after this many links in one path as well. */
const maxLinks = 40;
/** Names in one image; an image with more is an attack on our memory. */
const maxNames = 5_000_000;

/** An entry of a layer, without its content. */
export type TreeEntry = Pick<TreeLeaf, "mode" | "mtime"> & {
  readonly path: string;
  readonly type: "directory" | "symlink" | "hardlink" | "file";
  readonly target?: string;
  readonly size?: number;
};

/** A file or symbolic link; several names may share one. */
export interface TreeLeaf {
  readonly type: "file" | "symlink";
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Bytes; 0 for links. */
  readonly size: number;
  /** Text of a symbolic link. */
  readonly target: string;
  /** Which layer has the content, counted from 0 at the bottom. */
  readonly layer: number;
  /** Which entry of that layer it is, counted from 0. */
  readonly index: number;
}

/** A directory as it is in the end. */
export interface TreeDirectory {
  readonly mode: number;
  readonly mtime: number;
}

interface DirectoryNode {
  readonly type: "directory";
  mode: number;
  mtime: number;
  /** The last layer that wrote it, or wrote into it. */
  layer: number;
  readonly children: Map<string, Node>;
}

interface LeafNode {
  readonly type: "leaf";
  readonly facts: TreeLeaf;
  /** The layer that gave this name to it. */
  readonly layer: number;
}

type Node = DirectoryNode | LeafNode;

/** Layers merged so far. */
export class LayerTree {
  readonly #root: DirectoryNode = directoryNode(0o755, imageMtime, -1);
  #names = 0;

  /**
   * Applies one entry of a layer on top of what is there. Layers come from bottom to top, entries in the layer's order.
   *
   * @param layer number of the layer
   * @param index number of the entry in its layer
   * @throws {SpacktainersError} `ARCHIVE_UNSAFE` (a file is used as a directory, links in a circle), `ARCHIVE_INVALID` (a hard
   *   link to nothing, too many names)
   */
  apply(entry: TreeEntry, layer: number, index: number): void {
    const meaning = layerMeaning(entry.path);
    switch (meaning.kind) {
      case "ignored":
        return;
      case "removed": {
        const parent = this.#existing(parentPath(meaning.path), layer);
        if (parent !== undefined) this.#removeOlder(parent, baseName(meaning.path), layer);
        return;
      }
      case "opaque": {
        const parent = this.#existing(parentPath(meaning.path), layer);
        const found = meaning.path === "" ? parent : parent?.children.get(baseName(meaning.path));
        if (found?.type === "directory") this.#removeOlderChildren(found, layer);
        return;
      }
      case "entry":
        this.#place(entry, layer, index);
    }
  }

  #place(entry: TreeEntry, layer: number, index: number): void {
    const parent = this.#enter(parentPath(entry.path), layer, 0);
    const name = baseName(entry.path);
    const there = parent.children.get(name);
    if (entry.type === "directory") {
      if (there?.type === "directory") {
        there.mode = entry.mode;
        there.mtime = entry.mtime;
        there.layer = layer;
      } else this.#set(parent, name, directoryNode(entry.mode, entry.mtime, layer));
      return;
    }
    if (entry.type === "hardlink") {
      const facts = this.leafAt(entry.target ?? "");
      if (facts === undefined)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `the hard link ${printable(entry.path)} is to ${printable(entry.target ?? "")}, which is not a file that came before`,
        );
      this.#set(parent, name, { type: "leaf", facts, layer });
      return;
    }
    const { type, mode, mtime } = entry;
    const facts = { type, mode, mtime, size: entry.size ?? 0, target: entry.target ?? "", layer, index };
    this.#set(parent, name, { type: "leaf", facts, layer });
  }

  /** True when something lies at this path; links on the way are followed, one at its end is not. */
  has(path: string): boolean {
    return this.#existing(parentPath(path))?.children.has(baseName(path)) === true;
  }

  /** True when a directory lies at this path itself, not behind a link. */
  hasDirectory(path: string): boolean {
    return this.#existing(parentPath(path))?.children.get(baseName(path))?.type === "directory";
  }

  /** True when a directory lies at this path, all links followed. */
  isDirectory(path: string): boolean {
    return this.#existing(path) !== undefined;
  }

  /** Names in a directory, sorted; none when there is no such directory. */
  childrenOf(path: string): readonly string[] {
    return [...(this.#existing(path)?.children.keys() ?? [])].sort();
  }

  /** The file or link at a path, links on the way followed. */
  leafAt(path: string): TreeLeaf | undefined {
    const node = this.#existing(parentPath(path))?.children.get(baseName(path));
    return node?.type === "leaf" ? node.facts : undefined;
  }

  /** Takes away what lies at a path, whatever it is. */
  remove(path: string): void {
    const parent = this.#existing(parentPath(path));
    if (parent?.children.delete(baseName(path)) === true) this.#names--;
  }

  /** Everything there is, parents before children, names in the order of their code units. */
  *walk(): Generator<
    { readonly path: string } & ({ readonly directory: TreeDirectory } | { readonly leaf: TreeLeaf })
  > {
    const stack: { readonly path: string; readonly node: Node }[] = [{ path: "", node: this.#root }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { path, node } = next;
      if (node.type === "leaf") {
        yield { path, leaf: node.facts };
        continue;
      }
      if (path !== "") yield { path, directory: { mode: node.mode, mtime: node.mtime } };
      const names = [...node.children.keys()].sort().reverse();
      for (const name of names) {
        const child = node.children.get(name);
        if (child !== undefined) stack.push({ path: joinEntryPath(path, name), node: child });
      }
    }
  }

  #set(parent: DirectoryNode, name: string, node: Node): void {
    if (!parent.children.has(name) && ++this.#names > maxNames)
      throw new SpacktainersError("ARCHIVE_INVALID", `the image has more than ${maxNames} files`);
    parent.children.set(name, node);
  }

  /** The directory at a path, made where it is missing. */
  #enter(path: string, layer: number, links: number): DirectoryNode {
    let here = this.#root;
    let at = "";
    const names = path === "" ? [] : path.split("/");
    for (const [index, name] of names.entries()) {
      const next = here.children.get(name);
      if (next === undefined) {
        const made = directoryNode(0o755, imageMtime, layer);
        this.#set(here, name, made);
        here = made;
      } else if (next.type === "directory") {
        here = next;
        here.layer = layer;
      } else {
        const rest = names.slice(index + 1).join("/");
        return this.#enter(
          joinEntryPath(linkTarget(next, joinEntryPath(at, name), links), rest),
          layer,
          links + 1,
        );
      }
      at = joinEntryPath(at, name);
    }
    return here;
  }

  /**
   * The directory at a path if it is there, links followed.
   * @param layer the layer that has something in it: then a file in its place is an error
   */
  #existing(path: string, layer?: number, links = 0): DirectoryNode | undefined {
    let here = this.#root;
    let at = "";
    const names = path === "" ? [] : path.split("/");
    for (const [index, name] of names.entries()) {
      const next = here.children.get(name);
      if (next === undefined) return undefined;
      if (next.type === "leaf" && next.facts.type === "file" && layer === undefined) return undefined;
      if (next.type === "leaf") {
        const rest = names.slice(index + 1).join("/");
        return this.#existing(
          joinEntryPath(linkTarget(next, joinEntryPath(at, name), links), rest),
          layer,
          links + 1,
        );
      }
      here = next;
      if (layer !== undefined) here.layer = layer;
      at = joinEntryPath(at, name);
    }
    return here;
  }

  #removeOlder(parent: DirectoryNode, name: string, layer: number): void {
    const node = parent.children.get(name);
    if (node === undefined) return;
    if (node.layer !== layer) {
      parent.children.delete(name);
      this.#names--;
    } else if (node.type === "directory") this.#removeOlderChildren(node, layer);
  }

  #removeOlderChildren(directory: DirectoryNode, layer: number): void {
    for (const name of [...directory.children.keys()]) this.#removeOlder(directory, name, layer);
  }
}

/** Where a link among the directories of a path leads. */
function linkTarget(node: LeafNode, path: string, links: number): string {
  if (node.facts.type === "file")
    throw new SpacktainersError("ARCHIVE_UNSAFE", `${printable(path)} is used as a directory but is a file`);
  if (links >= maxLinks)
    throw new SpacktainersError("ARCHIVE_UNSAFE", `${printable(path)} is a circle of symbolic links`);
  return resolveLink(parentPath(path), node.facts.target);
}

function directoryNode(mode: number, mtime: number, layer: number): DirectoryNode {
  return { type: "directory", mode, mtime, layer, children: new Map() };
}
