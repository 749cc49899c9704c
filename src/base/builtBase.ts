/** Finished bases, remembered by key. */
import { stat } from "node:fs/promises";
import { fileLayer } from "../image/fileLayer.ts";
import type { FileExtent } from "../image/layer.ts";
import type { Digest } from "../util/digest.ts";
import { type BaseRecord, baseOfRecord, baseRecord, layerDescriptor } from "./baseRecord.ts";
import type { BaseStore } from "./baseStore.ts";
import type { Base, BaseLayer } from "./types.ts";

/** What the store keeps of a base. */
type BuiltRecord = BaseRecord & Pick<Base, "undone">;

/** Where layers of a base are. */
export interface LayerPlaces {
  /** Finds a layer's bytes; default: in the store. */
  readonly locate?: (digest: Digest) => Promise<FileExtent | undefined>;
  /** A repository that has them as well: `host/path`. */
  readonly origin?: string;
}

/** The base a key stands for, if it was built before and its layers are still there, whole as far as sizes tell. */
export async function findBuilt(
  store: BaseStore,
  key: Digest,
  { locate = (digest) => inStore(store, digest), origin }: LayerPlaces = {},
): Promise<Base | undefined> {
  const built = await store.read<BuiltRecord>("built", key);
  if (built === undefined) return undefined;
  const { undone, ...record } = built;
  const layers: BaseLayer[] = [];
  for (const layer of record.layers) {
    const extent = await locate(layer.digest);
    if (extent === undefined || extent.size !== layer.size) return undefined;
    const { inventory } = layer;
    layers.push({ ...fileLayer(layerDescriptor(layer), extent, { origin, isOurs: true }), inventory });
  }
  return { ...baseOfRecord(record, key, layers), undone };
}

async function inStore(store: BaseStore, digest: Digest): Promise<FileExtent | undefined> {
  const path = await store.layers.find(digest);
  const facts = path === undefined ? undefined : await stat(path).catch(() => undefined);
  return path === undefined || facts === undefined ? undefined : { path, offset: 0, size: facts.size };
}

/** Remembers a finished base. */
export async function rememberBuilt(store: BaseStore, base: Base): Promise<void> {
  const record: BuiltRecord = { ...baseRecord(base), undone: base.undone };
  await store.write("built", base.key, record);
}
