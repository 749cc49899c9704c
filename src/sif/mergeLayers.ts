/** Layers as one stream of files, as they are seen in the end, without a copy of anything on disk. */
import { contentOf, readContent } from "../archive/content.ts";
import type { Entry, EntryStream, FileEntry } from "../archive/entry.ts";
import type { Layer } from "../image/layer.ts";
import { layerEntries } from "../image/layerEntries.ts";
import { LeftOut } from "../image/leftOut.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { mapConcurrently } from "../util/mapConcurrently.ts";
import { LayerTree, type TreeEntry, type TreeLeaf } from "./layerTree.ts";

/** Layers whose headers are read at the same time. */
const readers = 2;

/** Files that are remembered are small: scripts and JSON documents; in bytes. */
const maxRemembered = 2 ** 20;
/** All that is remembered of one layer, in bytes. */
const maxRememberedTogether = 2 ** 24;

/** A file of our own that goes on top of the layers. */
export type OwnEntry =
  | { readonly type: "directory"; readonly path: string; readonly mode: number; readonly mtime: number }
  | {
      readonly type: "file";
      readonly path: string;
      readonly mode: number;
      readonly mtime: number;
      /** Whole, or to be read when its turn comes, then of the size said. */
      readonly content: Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };
    }
  | {
      readonly type: "symlink";
      readonly path: string;
      readonly mode: number;
      readonly mtime: number;
      readonly target: string;
    };

/** A merged image, ready to be read. */
export interface MergedImage {
  /** Bytes of all files. */
  readonly bytes: number;
  readonly files: number;
  /** The latest time of anything in it that is not in the future, in seconds since 1970. */
  readonly newest: number;
  /** The parts of the layers that are left out. */
  readonly leftOut: LeftOut;
  /**
   * The entries: directories and symbolic links sorted by path, then the files in the layers' order, each followed by its
   * other names. Everything belongs to root. To be read once.
   *
   * @throws {SpacktainersError} `CHECKSUM_MISMATCH` and whatever reading a layer throws
   */
  entries(): EntryStream;
}

/**
 * Reads the headers of all layers and works out what is seen in the end.
 *
 * @param layers from bottom to top; they are opened once here and once by `entries`
 * @param options `own`: makes what goes on top, when it is known what is there. `remember`: paths of small files whose
 *   content it may read
 * @throws {SpacktainersError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE` for bad layers, `CHECKSUM_MISMATCH`
 */
export async function mergeLayers(
  layers: readonly Layer[],
  options: {
    readonly own?: (
      tree: LayerTree,
      read: (path: string) => string | undefined,
    ) => readonly OwnEntry[] | Promise<readonly OwnEntry[]>;
    readonly remember?: (path: string) => boolean;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<MergedImage> {
  const { signal } = options;
  const { tree, remembered, leftOut } = await readLayers(layers, options.remember, signal);
  const textAt = (path: string): string | undefined => {
    const leaf = tree.leafAt(path);
    return leaf === undefined ? undefined : remembered[leaf.layer]?.get(leaf.index)?.toString("utf8");
  };
  const ownEntries = (await options.own?.(tree, textAt)) ?? [];
  for (const [index, entry] of ownEntries.entries()) tree.apply(ownFacts(entry), layers.length, index);
  return { ...describe(tree, layers, ownEntries, signal), leftOut };
}

/** Reads all layers once; of their entries only what is left in the end stays in memory. */
async function readLayers(
  layers: readonly Layer[],
  remember: ((path: string) => boolean) | undefined,
  signal: AbortSignal | undefined,
): Promise<{
  readonly tree: LayerTree;
  readonly remembered: readonly ReadonlyMap<number, Buffer>[];
  readonly leftOut: LeftOut;
}> {
  const read = await mapConcurrently(layers, readers, async (layer) => {
    const facts: TreeEntry[] = [];
    const remembered = new Map<number, Buffer>();
    const special: string[] = [];
    const xattrs = new Map<number, Entry["xattrs"]>();
    let together = 0;
    const onSpecial = (path: string): void => void special.push(path);
    for await (const entry of layerEntries(layer, { signal, xattrs: true, onSpecial })) {
      if (entry.xattrs !== undefined) xattrs.set(facts.length, entry.xattrs);
      facts.push(factsOf(entry));
      if (entry.type !== "file" || remember?.(entry.path) !== true) continue;
      together += entry.size;
      if (entry.size <= maxRemembered && together <= maxRememberedTogether)
        remembered.set(facts.length - 1, await readContent(entry));
    }
    return { facts, remembered, special, xattrs };
  });
  const tree = new LayerTree();
  const leftOut = new LeftOut();
  for (const [layer, { facts, special, xattrs }] of read.entries()) {
    try {
      for (const [index, entry] of facts.entries()) {
        tree.apply(entry, layer, index);
        leftOut.noteEntry({ path: entry.path, xattrs: xattrs.get(index) });
      }
      for (const path of special) leftOut.noteSpecial(path);
    } catch (error) {
      throw located(error, layers[layer]?.place ?? {});
    }
  }
  return { tree, remembered: read.map(({ remembered }) => remembered), leftOut };
}

function describe(
  tree: LayerTree,
  layers: readonly Layer[],
  ownEntries: readonly OwnEntry[],
  signal: AbortSignal | undefined,
): Omit<MergedImage, "leftOut"> {
  const skeleton: Entry[] = [];
  /** For each layer: the names of its files that are left, by number of the entry. */
  const wanted = Array.from(
    { length: layers.length + 1 },
    () => new Map<number, { readonly facts: TreeLeaf; readonly names: string[] }>(),
  );
  let bytes = 0;
  let files = 0;
  let newest = 0;
  const now = Date.now() / 1000;
  for (const item of tree.walk()) {
    files++;
    const { mode, mtime } = "leaf" in item ? item.leaf : item.directory;
    if (mtime <= now) newest = Math.max(newest, mtime);
    const base = { path: item.path, mode, mtime, uid: 0, gid: 0 };
    if ("directory" in item) skeleton.push({ type: "directory", ...base });
    else if (item.leaf.type === "symlink")
      skeleton.push({ type: "symlink", ...base, target: item.leaf.target });
    else {
      const ofLayer = wanted[item.leaf.layer];
      const known = ofLayer?.get(item.leaf.index);
      if (known === undefined) {
        ofLayer?.set(item.leaf.index, { facts: item.leaf, names: [item.path] });
        bytes += item.leaf.size;
      } else known.names.push(item.path);
    }
  }
  async function* named(file: FileEntry, names: readonly string[]): EntryStream {
    const [first = "", ...others] = names;
    const { mode, mtime, size, content } = file;
    const base = { mode, mtime, uid: 0, gid: 0 };
    yield { type: "file", path: first, size, content, ...base };
    for (const path of others) yield { type: "hardlink", path, target: first, ...base };
  }
  return {
    bytes,
    files,
    newest,
    async *entries() {
      yield* skeleton;
      for (const [number, layer] of layers.entries()) {
        const left = wanted[number] ?? new Map();
        if (left.size === 0) continue;
        yield* filesOf(layer, left, signal, named);
      }
      for (const [index, entry] of ownEntries.entries()) {
        const names = wanted[layers.length]?.get(index)?.names;
        if (entry.type !== "file" || names === undefined) continue;
        const { content } = entry;
        const open = content instanceof Uint8Array ? contentOf(content) : content.open();
        const size = content instanceof Uint8Array ? content.length : content.size;
        yield* named({ ...entry, uid: 0, gid: 0, size, content: open }, names);
      }
    },
  };
}

/** The files of a layer that are left, in its order. */
async function* filesOf(
  layer: Layer,
  left: ReadonlyMap<number, { readonly facts: TreeLeaf; readonly names: readonly string[] }>,
  signal: AbortSignal | undefined,
  named: (file: FileEntry, names: readonly string[]) => EntryStream,
): EntryStream {
  const changed = (): SpacktainersError =>
    new SpacktainersError("CHECKSUM_MISMATCH", "a layer changed while it was read", {
      place: layer.place,
    });
  let index = -1;
  let found = 0;
  for await (const entry of layerEntries(layer, { signal })) {
    index++;
    const file = left.get(index);
    if (file === undefined) continue;
    if (entry.type !== "file" || entry.size !== file.facts.size) throw changed();
    found++;
    yield* named({ ...entry, mode: file.facts.mode, mtime: file.facts.mtime }, file.names);
  }
  if (found !== left.size) throw changed();
}

function factsOf(entry: Entry): TreeEntry {
  const { type, path, mode, mtime } = entry;
  const target = entry.type === "symlink" || entry.type === "hardlink" ? { target: entry.target } : {};
  const size = entry.type === "file" ? { size: entry.size } : {};
  return { type, path, mode, mtime: clampTime(mtime), ...target, ...size };
}

function ownFacts(entry: OwnEntry): TreeEntry {
  const { type, path, mode, mtime } = entry;
  if (entry.type === "symlink") return { type, path, mode, mtime: clampTime(mtime), target: entry.target };
  if (entry.type === "directory") return { type, path, mode, mtime: clampTime(mtime) };
  const size = entry.content instanceof Uint8Array ? entry.content.length : entry.content.size;
  return { type, path, mode, mtime: clampTime(mtime), size };
}

/** squashfs has 32 bits for a time. */
function clampTime(seconds: number): number {
  return Math.min(Math.max(0, seconds), 2 ** 32 - 1);
}

function located(error: unknown, place: Place): unknown {
  if (!(error instanceof SpacktainersError) || Object.keys(error.place).length > 0) return error;
  return new SpacktainersError(error.code, error.message, {
    place,
    cause: error,
    hint: error.hint,
  });
}
