/** Entries into a finished layer in the store. */
import { rm } from "node:fs/promises";
import type { EntryStream } from "../archive/entry.ts";
import type { Inventory } from "../archive/inventory.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { writeFragment } from "../archive/writeFragment.ts";
import { fileLayer } from "../image/fileLayer.ts";
import type { BlobStore } from "../util/blobStore.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { collectInventory } from "./collectInventory.ts";
import type { BaseLayer } from "./types.ts";

/** Part of every key: to be raised when the same inputs give other bytes. */
export const transformationVersion = 5;

/**
 * Writes entries as a gzip-compressed layer, whatever the layers above are: bases are shared by images, also in registries.
 * @param onBytes told of uncompressed bytes as they are done
 */
export async function buildLayer(
  entries: EntryStream,
  store: BlobStore,
  onBytes: (bytes: number) => void,
): Promise<{ readonly layer: BaseLayer; readonly inventory: Inventory }> {
  const temporary = await store.temporary();
  try {
    const collected = collectInventory(entries);
    const facts = await writeFragment(temporary, collected.entries, { onBytes });
    const inventory = collected.inventory();
    const path = await store.adopt(temporary, facts.digest);
    const { digest, size, diffId } = facts;
    const described = {
      digest,
      size,
      diffId,
      mediaType: mediaTypes.layer,
      createdBy: "",
      annotations: undefined,
    };
    const layer = fileLayer(described, { path, offset: 0, size }, { isOurs: true });
    return { layer: { ...layer, inventory }, inventory };
  } catch (error) {
    await rm(temporary, { force: true });
    throw asSpacktainersError(error);
  }
}
