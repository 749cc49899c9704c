/**
 * Verified metadata kept on this machine, so that a later run asks neither the network nor the signature again. It is kept
 * apart by cache and by the set of trusted keys: with other keys, everything is verified again. Nothing is remembered for
 * longer than the key that signed it is good.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DagHash } from "../spec/concrete.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import type { Clock } from "../util/clock.ts";
import { digestOf, parseDigest } from "../util/digest.ts";
import { isJsonObject } from "../util/json.ts";
import type { VerifiedMetadata } from "./formats/verifiedMetadata.ts";

/** Changes when what is kept does, or the checks that led to it: what an older program kept is then not used. */
const format = 4;

/** What is kept beside the metadata: facts about the archive, learnt later. */
export interface RememberedMetadata extends VerifiedMetadata {
  /** Build-time prefix, from the first bytes of the archive; null when it does not say. */
  readonly prefix?: string | null;
  /** Bytes of the archive as the cache says, where the metadata does not; null when it does not say. */
  readonly archiveSize?: number | null;
}

export interface MetadataMemory {
  find(hash: DagHash): Promise<RememberedMetadata | undefined>;
  keep(hash: DagHash, metadata: RememberedMetadata): Promise<void>;
  forget(hash: DagHash): Promise<void>;
}

/**
 * The folder in which everything is kept that is remembered of one cache.
 *
 * @param cacheId see `CachedPackage`
 */
export function rememberedFolder(cacheDirectory: string, cacheId: string): string {
  return join(cacheDirectory, "index", digestOf(cacheId).slice(7, 39));
}

/**
 * Forgets a package of a cache, with whatever keys it was verified: another archive of it is there now.
 *
 * @param folder of the cache
 */
export async function forgetMetadata(folder: string, hash: DagHash): Promise<void> {
  const parent = join(folder, "packages", hash.slice(0, 2));
  for (const name of await readdir(parent).catch(() => []))
    if (name.startsWith(`${hash}-`)) await rm(join(parent, name), { force: true });
}

/**
 * @param folder of one cache
 * @param trust identifies keys and conditions under which the metadata was verified
 */
export function openMetadataMemory(folder: string, trust: string, clock: Clock): MetadataMemory {
  const path = (hash: DagHash): string => join(folder, "packages", hash.slice(0, 2), `${hash}-${trust}.json`);
  return {
    async find(hash) {
      const content = await readFile(path(hash), "utf8").catch(() => undefined);
      if (content === undefined) return undefined;
      const cut = content.indexOf("\n");
      const text = content.slice(cut + 1);
      // A damaged file is as good as none.
      if (content.slice(0, cut) !== digestOf(text)) return undefined;
      const json: unknown = JSON.parse(text);
      if (!isJsonObject(json) || json.format !== format || json.hash !== hash) return undefined;
      const metadata = json.metadata as unknown as RememberedMetadata;
      if (metadata.validUntil !== undefined && metadata.validUntil <= clock()) return undefined;
      return parseDigest(metadata.digest) === undefined ? undefined : metadata;
    },
    async keep(hash, metadata) {
      const text = JSON.stringify({ format, hash, metadata });
      // What cannot be kept is asked for again; that is no reason to fail.
      await writeFileAtomically(path(hash), `${digestOf(text)}\n${text}`).catch(() => {});
    },
    async forget(hash) {
      await rm(path(hash), { force: true });
    },
  };
}
