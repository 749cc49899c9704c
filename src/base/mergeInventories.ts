/** What several layers on top of one another show. OCI image specification, "Image Layer Filesystem Changeset". */
import type { Inventory, InventoryEntry } from "../archive/inventory.ts";
import { sortedInventory } from "./collectInventory.ts";

/** A layer's content and what it deletes from those below. */
export interface LayerChange {
  readonly inventory: Inventory;
  /** Paths deleted, with all below them. */
  readonly deleted: readonly string[];
  /** Directories whose earlier content is deleted. */
  readonly opaque: readonly string[];
}

/** Whiteouts among the names of a layer: `.wh.NAME` deletes NAME, `.wh..wh..opq` all that was in its directory. */
export function splitWhiteouts(inventory: Inventory): LayerChange {
  const kept: InventoryEntry[] = [];
  const deleted: string[] = [];
  const opaque: string[] = [];
  for (const entry of inventory.entries) {
    const slash = entry.path.lastIndexOf("/");
    const name = entry.path.slice(slash + 1);
    const parent = entry.path.slice(0, Math.max(0, slash));
    if (!name.startsWith(".wh.")) kept.push(entry);
    else if (name === ".wh..wh..opq") opaque.push(parent);
    else if (!name.startsWith(".wh..wh.")) deleted.push(`${entry.path.slice(0, slash + 1)}${name.slice(4)}`);
  }
  return { inventory: { entries: kept }, deleted, opaque };
}

/** The union of layers, from bottom to top, whiteouts applied. */
export function mergeInventories(layers: readonly LayerChange[]): Inventory {
  let merged = new Map<string, InventoryEntry>();
  for (const { inventory, deleted, opaque } of layers) {
    const gone = new Set(deleted);
    const emptied = new Set(opaque);
    // A file in place of a directory takes the directory's content away.
    for (const { path, type } of inventory.entries)
      if (type !== "directory" && merged.get(path)?.type === "directory") emptied.add(path);
    if (gone.size > 0 || emptied.size > 0) {
      merged = new Map([...merged].filter(([path]) => !isGone(path, gone, emptied)));
    }
    for (const entry of inventory.entries) merged.set(entry.path, entry);
  }
  return sortedInventory(merged.values());
}

function isGone(path: string, gone: ReadonlySet<string>, emptied: ReadonlySet<string>): boolean {
  if (gone.has(path)) return true;
  for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
    const parent = path.slice(0, slash);
    if (gone.has(parent) || emptied.has(parent)) return true;
  }
  return emptied.has("");
}
