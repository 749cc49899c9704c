/** Entries into a finished layer in the store. */
import { rm } from "node:fs/promises";
import type { EntryStream } from "../archive/entry.ts";
import type { Inventory } from "../archive/inventory.ts";
import { printable } from "../archive/names.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { writeFragment } from "../archive/writeFragment.ts";
import type { BlobStore } from "../util/blobStore.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { collectInventory } from "./collectInventory.ts";
import type { BaseLayer } from "./types.ts";

/** Part of every key: to be raised when the same inputs give other bytes. */
export const transformationVersion = 3;

/**
 * Writes entries as a gzip-compressed layer.
 * @param onBytes told of uncompressed bytes as they are done
 */
export async function buildLayer(
  entries: EntryStream,
  store: BlobStore,
  onBytes: (bytes: number) => void,
): Promise<{ readonly layer: BaseLayer; readonly inventory: Inventory }> {
  const temporary = await store.temporary();
  try {
    const collected = collectInventory(withoutWhiteouts(entries));
    const facts = await writeFragment(temporary, collected.entries, { onBytes });
    const inventory = collected.inventory();
    const path = await store.adopt(temporary, facts.digest);
    const { digest, size, diffId } = facts;
    return { layer: { path, digest, size, diffId, mediaType: mediaTypes.layer, inventory }, inventory };
  } catch (error) {
    await rm(temporary, { force: true });
    throw asSpacktainersError(error);
  }
}

/** In a layer a name that begins with `.wh.` would delete a file (OCI image specification, "Whiteouts"). */
async function* withoutWhiteouts(entries: EntryStream): EntryStream {
  for await (const entry of entries) {
    if (entry.path.slice(entry.path.lastIndexOf("/") + 1).startsWith(".wh."))
      throw new SpacktainersError(
        "ARCHIVE_UNSAFE",
        `${printable(entry.path)} has a name that means deletion in an image`,
        { hint: "such files cannot be in an image" },
      );
    yield entry;
  }
}
