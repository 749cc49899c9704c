/** Finished bases, remembered by key. */
import { stat } from "node:fs/promises";
import type { Digest } from "../util/digest.ts";
import { type BaseRecord, baseOfRecord, baseRecord } from "./baseRecord.ts";
import type { BaseStore } from "./baseStore.ts";
import type { Base, BaseLayer } from "./types.ts";

/**
 * The base a key stands for, if it was built before and its layers are still there, whole as far as sizes tell.
 * @param locate where a layer's blob is; default: in the store
 */
export async function findBuilt(
  store: BaseStore,
  key: Digest,
  locate: (digest: Digest) => Promise<string | undefined> = (digest) => store.layers.find(digest),
): Promise<Base | undefined> {
  const record = await store.read<BaseRecord>("built", key);
  if (record === undefined) return undefined;
  const layers: BaseLayer[] = [];
  for (const layer of record.layers) {
    const path = await locate(layer.digest);
    const facts = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || facts?.size !== layer.size) return undefined;
    layers.push({ ...layer, path });
  }
  return baseOfRecord(record, key, layers);
}

/** Remembers a finished base. */
export async function rememberBuilt(store: BaseStore, base: Base): Promise<void> {
  await store.write("built", base.key, baseRecord(base));
}
