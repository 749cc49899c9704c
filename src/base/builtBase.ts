/** Finished bases, remembered by key. */
import { stat } from "node:fs/promises";
import type { Inventory } from "../archive/inventory.ts";
import type { Digest } from "../util/digest.ts";
import type { BaseStore } from "./baseStore.ts";
import type { Base, BaseImageConfig, BaseLayer, BasePackage } from "./types.ts";

interface BuiltRecord {
  readonly layers: readonly Omit<BaseLayer, "path">[];
  /** Absent when there is one layer: then it is that layer's. */
  readonly inventory?: Inventory;
  readonly packages: readonly BasePackage[];
  readonly libcVersion?: string;
  readonly config?: BaseImageConfig;
}

/**
 * The base a key stands for, if it was built before and its layers are still there, whole as far as sizes tell.
 * @param locate where a layer's blob is; default: in the store
 */
export async function findBuilt(
  store: BaseStore,
  key: Digest,
  locate: (digest: Digest) => Promise<string | undefined> = (digest) => store.layers.find(digest),
): Promise<Base | undefined> {
  const record = await store.read<BuiltRecord>("built", key);
  if (record === undefined) return undefined;
  const { layers: described, inventory: merged, ...rest } = record;
  const layers: BaseLayer[] = [];
  for (const layer of described) {
    const path = await locate(layer.digest);
    const facts = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || facts?.size !== layer.size) return undefined;
    layers.push({ ...layer, path });
  }
  return { ...rest, layers, inventory: merged ?? layers[0]?.inventory ?? { entries: [] }, key };
}

/** Remembers a finished base. */
export async function rememberBuilt(store: BaseStore, base: Base): Promise<void> {
  const { layers, inventory, key, ...rest } = base;
  const record: BuiltRecord = {
    ...rest,
    layers: layers.map(({ path: _, ...layer }) => layer),
    ...(layers.length === 1 && layers[0]?.inventory === inventory ? {} : { inventory }),
  };
  await store.write("built", key, record);
}
