/** Layouts 1 and 2 of Spack up to 0.23: everything below `build_cache/`. */
import type { Store } from "../../../store/store.ts";
import { hexOfDigest } from "../../../util/digest.ts";
import type { CacheKey } from "../../cacheKeys.ts";
import type { Trust } from "../believe.ts";
import type { CacheFormat } from "../format.ts";
import { fingerprintsIn, isUnchanged, keyFile, placeOf } from "../storedFiles.ts";
import { decodeUtf8 } from "../verifiedMetadata.ts";
import { findV2Metadata } from "./metadata.ts";
import { v2FixedPaths } from "./paths.ts";

/** Opens the part of a cache that is in layout 1 or 2. */
export function openV2Format(store: Store, trust: Trust): CacheFormat {
  return {
    name: "v2",
    files: store,
    async isPresent() {
      const folder = await store.hasFolder("build_cache");
      if (folder !== undefined) return folder;
      for (const file of [v2FixedPaths.index, v2FixedPaths.keyIndex])
        if ((await store.stat(file)) !== undefined) return true;
      return undefined;
    },
    findMetadata: (asked, lookup) => findV2Metadata(store, trust, asked, lookup),
    isUnchanged: (known) => isUnchanged(store, known),
    indexPlace: placeOf(store, v2FixedPaths.index),
    async findIndex(known) {
      // Its digest is in a file beside it, which may be a moment older or newer.
      if (known !== undefined && store.kind !== "file") {
        const { bytes } = await store.get(v2FixedPaths.indexHash, { maxBytes: 4096 });
        if (Buffer.from(bytes).toString("latin1").trim() === hexOfDigest(known.digest)) return "unchanged";
      }
      const facts = await store.stat(v2FixedPaths.index);
      if (facts === undefined) return undefined;
      if (facts.version !== undefined && facts.version === known?.version) return "unchanged";
      return { path: v2FixedPaths.index, version: facts.version, digest: undefined, size: facts.size };
    },
    async listKeys() {
      const list = await keyFile(store, v2FixedPaths.keyIndex);
      if (list === undefined) return [];
      const keys: CacheKey[] = [];
      for (const fingerprint of fingerprintsIn(list, placeOf(store, v2FixedPaths.keyIndex))) {
        const path = v2FixedPaths.key(fingerprint);
        const bytes = await keyFile(store, path);
        const armored = bytes === undefined ? undefined : decodeUtf8(bytes, placeOf(store, path));
        keys.push({ fingerprint, armored });
      }
      return keys;
    },
  };
}
