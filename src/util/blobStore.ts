/**
 * A local content-addressed store: files named by their SHA-256, written whole or not at all, shared by concurrent
 * runs, bounded in size by removing what was least recently used.
 */
import { constants } from "node:fs";
import { access, readdir, rename, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sweepTemporaries, temporaryPath } from "./atomicFile.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Digest, hexOfDigest } from "./digest.ts";
import { makeDirectory } from "./makeDirectory.ts";
import { removeIfPossible } from "./removeIfPossible.ts";

/** Blobs used within so many milliseconds are in use. */
const recentMs = 3_600_000;

export interface BlobStore {
  /** Where the blob is, or would be: `<directory>/sha256/<first two hex digits>/<hex>`. */
  path(digest: Digest): string;
  /** The blob's path if it is there (its use is recorded for {@link BlobStore.prune}), else undefined. */
  find(digest: Digest): Promise<string | undefined>;
  /** A path for a blob that is being written, on the same disk as the store. */
  temporary(): Promise<string>;
  /** Moves a finished file, whose digest the caller has verified, into the store; returns its path. */
  adopt(temporary: string, digest: Digest): Promise<string>;
  /**
   * Removes the least recently used blobs until at most `maxBytes` remain, and what killed runs left behind. What was used
   * within the last hour stays in any case: another process may be about to read it. So does what cannot be removed.
   */
  prune(maxBytes: number): Promise<{ readonly removed: number; readonly bytes: number }>;
}

/** Opens (and on first use makes) the store in `directory`. */
export function openBlobStore(directory: string, clock: Clock = systemClock): BlobStore {
  const path = (digest: Digest): string => {
    const hex = hexOfDigest(digest);
    return join(directory, "sha256", hex.slice(0, 2), hex);
  };
  return {
    path,
    async find(digest) {
      const file = path(digest);
      const now = new Date(clock());
      const used = utimes(file, now, now).catch((error: NodeJS.ErrnoException) => {
        // A store that belongs to another user, or cannot be written to, can still be read.
        if (!["EPERM", "EACCES", "EROFS"].includes(error.code ?? "")) throw error;
        return access(file, constants.R_OK);
      });
      return used.then(
        () => file,
        () => undefined,
      );
    },
    async temporary() {
      const folder = join(directory, "incoming");
      await makeDirectory(folder);
      return temporaryPath(folder);
    },
    async adopt(temporary, digest) {
      const file = path(digest);
      await makeDirectory(join(file, ".."));
      await rename(temporary, file);
      return file;
    },
    async prune(maxBytes) {
      await sweepTemporaries(join(directory, "incoming"));
      const blobs = await listBlobs(join(directory, "sha256"));
      blobs.sort((a, b) => a.used - b.used);
      let total = blobs.reduce((sum, blob) => sum + blob.size, 0);
      let removed = 0;
      let bytes = 0;
      const now = clock();
      for (const blob of blobs) {
        if (total <= maxBytes) break;
        // A use in the future was recorded when the clock was wrong: it does not protect for ever.
        if (Math.abs(now - blob.used) < recentMs) continue;
        if (!(await removeIfPossible(blob.path))) continue;
        total -= blob.size;
        bytes += blob.size;
        removed++;
      }
      return { removed, bytes };
    },
  };
}

async function listBlobs(directory: string): Promise<{ path: string; size: number; used: number }[]> {
  const blobs = [];
  for (const shard of await readdir(directory).catch(() => [])) {
    for (const name of await readdir(join(directory, shard)).catch(() => [])) {
      const file = join(directory, shard, name);
      const facts = await stat(file).catch(() => undefined);
      if (facts !== undefined) blobs.push({ path: file, size: facts.size, used: facts.mtimeMs });
    }
  }
  return blobs;
}
