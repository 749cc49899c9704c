/** What the formats of plain files have in common. */
import type { ListedFile, Store, StoreWriter } from "../../store/store.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject } from "../../util/json.ts";
import { decodeUtf8, maxSpecFileBytes, type VerifiedMetadata } from "./verifiedMetadata.ts";

const maxKeys = 1000;
const maxKeyBytes = 2 ** 20;

/** The place of a file, as people know it. */
export function placeOf(store: Store, path: string): Place {
  return store.kind === "file" ? { file: store.locate(path) } : { url: store.locate(path) };
}

/** Whether a store still has the file of verified metadata as it was. */
export async function isUnchanged(store: Store, { path, version }: VerifiedMetadata): Promise<boolean> {
  if (store.kind === "file") {
    const facts = await store.stat(path);
    return facts !== undefined && facts.version === version;
  }
  if (version === undefined) return false;
  return (await store.get(path, { maxBytes: maxSpecFileBytes, version })).status === "unchanged";
}

/** A key, or a list of keys. */
export async function keyFile(store: Store, path: string): Promise<Uint8Array | undefined> {
  const { status, bytes } = await store.get(path, { maxBytes: maxKeyBytes });
  return status === "found" ? bytes : undefined;
}

/** The fingerprints in a list of keys, upper-case hexadecimal. Throws CACHE_INVALID. */
export function fingerprintsIn(bytes: Uint8Array, place: Place): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(decodeUtf8(bytes, place));
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the list of keys is not JSON", { place, cause });
  }
  if (!isJsonObject(json) || !isJsonObject(json.keys))
    throw new SpacktainersError("CACHE_INVALID", "the list of keys is malformed", { place });
  return Object.keys(json.keys)
    .slice(0, maxKeys)
    .filter((fingerprint) => /^[0-9A-F]{40}([0-9A-F]{24})?$/.test(fingerprint));
}

/** All files below a folder. Throws NOT_SUPPORTED for a store that cannot list. */
export function listFolder(store: Store, folder: string): AsyncIterable<ListedFile> {
  if (store.list !== undefined) return store.list(folder);
  throw new SpacktainersError("NOT_SUPPORTED", "the files of this build cache cannot be listed", {
    place: placeOf(store, folder),
    hint: "a web server does not list its files: name the cache by the path or the s3: URL behind it",
  });
}

/** The part of a store that writes. Throws NOT_SUPPORTED for one that can only be read. */
export function writerOf(store: Store): StoreWriter {
  if (store.writer !== undefined) return store.writer;
  throw new SpacktainersError("NOT_SUPPORTED", "this build cache can only be read", {
    place: placeOf(store, ""),
    hint: "name it by the path, or the s3: URL, through which it can be written",
  });
}
