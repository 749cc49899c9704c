/** A layer being put together above an image's files: entries by path, each directory above them as the image has it. */
import { type Entry, type EntryStream, imageMtime } from "../archive/entry.ts";
import { bytesOfName, parentPath } from "../archive/names.ts";
import { parentsOf } from "../archive/writeFragment.ts";
import { type FileTree, imagePath } from "../view/fileTree.ts";

/** Who a file belongs to, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What a directory of the image has that its inventory does not tell, too. */
export interface DirectoryAttributes extends Owner {
  readonly mode: number;
}

/** A file of a layer, its content opened when it is written. */
export type DraftEntry = Owner & {
  readonly path: string;
  readonly mode: number;
  readonly mtime: number;
} & (
    | { readonly type: "directory" }
    | { readonly type: "symlink" | "hardlink"; readonly target: string }
    | {
        readonly type: "file";
        readonly size: number;
        /** Undefined: the content comes with {@link LayerDraft.streams}. */
        readonly open: (() => AsyncIterable<Uint8Array>) | undefined;
      }
  );

const mostLinks = 40;

/** A layer in the making. Every entry put in is at once part of the tree, for those that come later. */
export class LayerDraft {
  readonly tree: FileTree;
  readonly #entries = new Map<string, DraftEntry>();
  readonly #streams: (() => EntryStream)[] = [];

  /** @param tree of the image below; changed as the layer grows */
  constructor(tree: FileTree) {
    this.tree = tree;
  }

  /** Puts an entry in place of whatever this layer or the image has at its path. */
  put(entry: DraftEntry): void {
    const { path, mode } = entry;
    const before = this.#entries.get(path);
    if (before?.type === "directory" && entry.type !== "directory")
      for (const other of [...this.#entries.keys()])
        if (other.startsWith(`${path}/`)) this.#entries.delete(other);
    this.#entries.set(path, entry);
    const size = entry.type === "file" ? entry.size : 0;
    const target = entry.type === "symlink" || entry.type === "hardlink" ? { target: entry.target } : {};
    this.tree.add({ entries: [{ path, type: entry.type, mode, size, ...target }] });
  }

  /** The entry of this layer at a path. */
  at(path: string): DraftEntry | undefined {
    return this.#entries.get(path);
  }

  /** Adds a source of contents: a stream that passes by once the rest is written. */
  addStream(stream: () => EntryStream): void {
    this.#streams.push(stream);
  }

  /** Makes the directories on the way to a path, and the path itself a directory, where there are none. */
  makeDirectories(path: string, owner: Owner): void {
    for (const directory of [...parentsOf(path), path])
      if (directory !== "" && this.tree.at(directory)?.type !== "directory")
        this.put({ type: "directory", path: directory, mode: 0o755, mtime: imageMtime, ...owner });
  }

  /** Where a path leads in the image, links followed with the image's root as the root of everything. */
  realPath(path: string): string {
    let pending = imagePath(path)
      .split("/")
      .filter((part) => part !== "");
    let at: string[] = [];
    let links = 0;
    while (pending.length > 0) {
      const [part = "", ...rest] = pending;
      pending = rest;
      if (part === "." || part === "..") {
        if (part === "..") at.pop();
        continue;
      }
      const here = [...at, part].join("/");
      const entry = this.tree.at(here);
      if (entry?.type === "symlink" && links++ < mostLinks) {
        const target = entry.target ?? "";
        if (target.startsWith("/")) at = [];
        pending = [...target.split("/").filter((one) => one !== ""), ...pending];
      } else at.push(part);
    }
    return at.join("/");
  }

  /**
   * All entries, those of directories first, then by path; after them what the streams have.
   *
   * @param existing what a directory of the image below has; asked for those above an entry that this layer does not make
   */
  async *entries(
    existing: (paths: readonly string[]) => Promise<ReadonlyMap<string, DirectoryAttributes>>,
  ): EntryStream {
    const above = new Set([...this.#entries.keys()].flatMap((path) => parentsOf(path)));
    const missing = [...above].filter((path) => !this.#entries.has(path)).sort();
    const facts = missing.length === 0 ? new Map<string, DirectoryAttributes>() : await existing(missing);
    const directories: DraftEntry[] = missing.map((path) => ({
      type: "directory",
      path,
      mtime: imageMtime,
      mode: this.tree.at(path)?.mode ?? 0o755,
      uid: 0,
      gid: 0,
      ...facts.get(path),
    }));
    const rest: DraftEntry[] = [];
    const hardlinks: DraftEntry[] = [];
    for (const entry of this.#entries.values())
      (entry.type === "directory" ? directories : entry.type === "hardlink" ? hardlinks : rest).push(entry);
    for (const entry of [...sorted(directories), ...sorted(rest)]) {
      if (entry.type !== "file") yield entry as Entry;
      else if (entry.open !== undefined) yield { ...withoutOpen(entry), content: entry.open() };
    }
    for (const stream of this.#streams) yield* stream();
    // After every file that they may be to.
    for (const entry of sorted(hardlinks))
      if (entry.type === "hardlink") yield { ...entry, target: this.#fileOf(entry.target) };
  }

  /** The file that a chain of hard links is to. */
  #fileOf(path: string): string {
    let at = path;
    for (let count = 0; count < mostLinks; count++) {
      const entry = this.#entries.get(at);
      if (entry?.type !== "hardlink") break;
      at = entry.target;
    }
    return at;
  }
}

function withoutOpen({
  type,
  path,
  mode,
  mtime,
  uid,
  gid,
  size,
}: DraftEntry & { type: "file" }): Omit<Extract<Entry, { type: "file" }>, "content"> {
  return { type, path, mode, mtime, uid, gid, size };
}

function sorted(entries: readonly DraftEntry[]): readonly DraftEntry[] {
  // By bytes, as everything in an image is: surrogates would come before what they stand for.
  const keyed = entries.map((entry) => ({ entry, key: bytesOfName(entry.path) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}

/** The directory that a path is in, in the form of inventories. */
export const directoryOf = parentPath;
