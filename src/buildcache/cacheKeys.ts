/** The public keys that a cache publishes itself. Whoever can write to the cache can write them: nobody trusts them. */
import { digestOf } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { blobPath3, layout2, layout3 } from "./layoutPaths.ts";
import { parseManifest, recordOf } from "./manifest.ts";
import type { CacheStore } from "./store.ts";
import type { CacheLayout } from "./types.ts";
import { decodeUtf8 } from "./verifiedMetadata.ts";

/** A key as a cache publishes it. */
export interface CacheKey {
  /** Fingerprint of the primary key, upper-case hexadecimal, as the cache claims. */
  readonly fingerprint: string;
  /** The armoured public key; undefined when the cache lists it but does not have it. */
  readonly armored: string | undefined;
}

const maxKeys = 1000;
const maxKeyBytes = 2 ** 20;

/**
 * Lists the keys of a cache, over all its layouts, by fingerprint.
 *
 * @throws CACHE_INVALID, CHECKSUM_MISMATCH, NETWORK, ACCESS_DENIED
 */
export async function listKeys(
  store: CacheStore,
  layouts: readonly CacheLayout[],
): Promise<readonly CacheKey[]> {
  const keys = new Map<string, CacheKey>();
  for (const layout of layouts) {
    for (const fingerprint of await fingerprints(store, layout)) {
      const known = keys.get(fingerprint);
      if (known?.armored !== undefined) continue;
      const bytes = await (layout === 2
        ? plainFile(store, layout2.key(fingerprint))
        : blobOf(store, layout3.keyManifest(fingerprint), "key"));
      const place = { url: store.url };
      const armored = bytes === undefined ? undefined : decodeUtf8(bytes, place);
      keys.set(fingerprint, { fingerprint, armored });
    }
  }
  return [...keys.values()].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
}

async function fingerprints(store: CacheStore, layout: CacheLayout): Promise<string[]> {
  const path = layout === 2 ? layout2.keyIndex : layout3.keyIndexManifest;
  const bytes = await (layout === 2 ? plainFile(store, path) : blobOf(store, path, "keyindex"));
  if (bytes === undefined) return [];
  const place = { url: store.locate(path) };
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

async function plainFile(store: CacheStore, path: string): Promise<Uint8Array | undefined> {
  const { status, bytes } = await store.get(path, { maxBytes: maxKeyBytes });
  return status === "found" ? bytes : undefined;
}

async function blobOf(
  store: CacheStore,
  manifest: string,
  kind: "key" | "keyindex",
): Promise<Uint8Array | undefined> {
  const source = await plainFile(store, manifest);
  if (source === undefined) return undefined;
  const record = recordOf(parseManifest(source, { url: store.locate(manifest) }), kind);
  if (record === undefined) return undefined;
  const path = blobPath3(record.digest);
  const bytes = await plainFile(store, path);
  if (bytes !== undefined && digestOf(bytes) !== record.digest)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a key is not the one its manifest names", {
      place: { url: store.locate(path) },
    });
  return bytes;
}
