/** The layout of Spack 1.0 and later: manifests below `v3/`, and blobs by digest. */
import type { RetryPolicy } from "../../../net/retry.ts";
import type { Store } from "../../../store/store.ts";
import { digestOf } from "../../../util/digest.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import type { CacheKey } from "../../cacheKeys.ts";
import type { Trust } from "../believe.ts";
import type { CacheFormat } from "../format.ts";
import { fingerprintsIn, isUnchanged, keyFile, placeOf } from "../storedFiles.ts";
import { decodeUtf8 } from "../verifiedMetadata.ts";
import { newestRecord, parseCacheManifest } from "./manifest.ts";
import { findV3Metadata } from "./metadata.ts";
import { blobPath, v3FixedPaths } from "./paths.ts";

/** Versions of the index that can be read. */
const oldestIndex = 6;
const newestIndex = 9;

/**
 * Opens the part of a cache that is in layout v3.
 *
 * @param policy for the moment in which a package is pushed again: its manifest or its blobs are then missing for a while
 */
export function openV3Format(store: Store, trust: Trust, policy: RetryPolicy): CacheFormat {
  return {
    name: "v3",
    files: store,
    async isPresent() {
      if ((await store.get(v3FixedPaths.layout, { maxBytes: 65_536 })).status === "found") return true;
      const folder = await store.hasFolder(v3FixedPaths.manifests);
      if (folder !== undefined) return folder;
      return (await store.stat(v3FixedPaths.indexManifest)) === undefined ? undefined : true;
    },
    findMetadata: (asked) => findV3Metadata(store, trust, asked, policy),
    isUnchanged: (known) => isUnchanged(store, known),
    indexPlace: placeOf(store, v3FixedPaths.indexManifest),
    async findIndex(known) {
      const path = v3FixedPaths.indexManifest;
      const place = placeOf(store, path);
      const version = known?.version;
      const answer = await store.get(path, {
        maxBytes: 2 ** 20,
        version,
      });
      if (answer.status === "missing") return undefined;
      if (answer.status === "unchanged") return "unchanged";
      const record = newestRecord(parseCacheManifest(answer.bytes, place), "db", oldestIndex, newestIndex);
      if (record === undefined)
        throw new SpacktainersError(
          "CACHE_INVALID",
          "the index manifest names no index that can be read here",
          { place },
        );
      if (record.compression !== "none")
        throw new SpacktainersError("NOT_SUPPORTED", "the cache's index is compressed", { place });
      if (record.digest === known?.digest) return "unchanged";
      return {
        path: blobPath(record.digest),
        version: answer.version,
        digest: record.digest,
        size: record.size,
      };
    },
    async listKeys() {
      const list = await namedBlob(store, v3FixedPaths.keyIndexManifest, "keyindex");
      if (list === undefined) return [];
      const keys: CacheKey[] = [];
      for (const fingerprint of fingerprintsIn(list, placeOf(store, v3FixedPaths.keyIndexManifest))) {
        const path = v3FixedPaths.keyManifest(fingerprint);
        const bytes = await namedBlob(store, path, "key");
        const armored = bytes === undefined ? undefined : decodeUtf8(bytes, placeOf(store, path));
        keys.push({ fingerprint, armored });
      }
      return keys;
    },
  };
}

/** The blob that a manifest about keys names. */
async function namedBlob(
  store: Store,
  manifest: string,
  kind: "key" | "keyindex",
): Promise<Uint8Array | undefined> {
  const source = await keyFile(store, manifest);
  if (source === undefined) return undefined;
  const record = newestRecord(parseCacheManifest(source, placeOf(store, manifest)), kind);
  if (record === undefined) return undefined;
  const path = blobPath(record.digest);
  const bytes = await keyFile(store, path);
  if (bytes !== undefined && digestOf(bytes) !== record.digest)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a key is not the one its manifest names", {
      place: placeOf(store, path),
    });
  return bytes;
}
