/** Package archives on this machine: downloaded once, verified before they can be seen, shared by concurrent runs. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { removeOldPartials } from "../net/download.ts";
import { packageTask } from "../spec/packageTask.ts";
import type { FileSource } from "../store/store.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { openBlobStore } from "../util/blobStore.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { digestOfFile } from "../util/digestOfFile.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { fileState } from "../util/fileState.ts";
import { makeDirectory } from "../util/makeDirectory.ts";
import type { CachedPackage } from "./types.ts";

/** A verified archive on this machine. */
export interface FetchedArchive {
  /** Readable file; in the download store, or in a `file:` cache where it lies. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Default size of the download store, in bytes. */
export const defaultDownloadBytes = 20 * 2 ** 30;

/** Archives downloaded at a time. More would only take from one another. */
const downloadsAtOnce = 8;

/** Archives of local caches hashed at a time: they share one thread, and the first is to be ready soon. */
const hashesAtOnce = 2;

/** Unfinished downloads that nobody continued for so long are removed. */
const partialAgeMs = 7 * 24 * 3600 * 1000;

export interface ArchiveStore {
  /** The archive if it is on this machine and verified already. Asks no cache. */
  find(files: FileSource, pkg: Pick<CachedPackage, "digest" | "archivePath">): Promise<string | undefined>;
  /**
   * The archive, downloaded if need be.
   *
   * @throws CHECKSUM_MISMATCH, NOT_FOUND, NETWORK, ACCESS_DENIED, DISK_FULL
   */
  fetch(files: FileSource, pkg: CachedPackage): Promise<FetchedArchive>;
  /** Removes what was used longest ago until at most `maxBytes` are left, and what killed runs left behind. */
  prune(maxBytes?: number): Promise<{ readonly removed: number; readonly bytes: number }>;
}

/**
 * Opens the download store below `cacheDirectory` (see `cacheHome`).
 */
export function openArchiveStore(
  cacheDirectory: string,
  emit: EmitEvent,
  clock: Clock = systemClock,
): ArchiveStore {
  const directory = join(cacheDirectory, "downloads");
  const partials = join(directory, "incoming");
  const blobs = openBlobStore(directory, clock);
  const underway = new Map<Digest, Promise<FetchedArchive>>();
  const downloading = openSlots(downloadsAtOnce);
  const hashing = openSlots(hashesAtOnce);

  async function download(
    files: FileSource,
    pkg: CachedPackage,
    onBytes: (bytes: number) => void,
  ): Promise<FetchedArchive> {
    const path = blobs.path(pkg.digest);
    await makeDirectory(partials);
    const { digest, size } = await files.download(pkg.archivePath, path, {
      expectedDigest: pkg.digest,
      expectedSize: pkg.size,
      partialDirectory: partials,
      onBytes,
    });
    return { path, digest, size };
  }

  async function fetch(files: FileSource, pkg: CachedPackage): Promise<FetchedArchive> {
    const local = files.localFile(pkg.archivePath);
    const known = local === undefined ? await blobs.find(pkg.digest) : undefined;
    const task = { ...packageTask("download", pkg.spec), bytes: pkg.size };
    return runTask(emit, task, async ({ progress, size, reused }) => {
      if (known !== undefined) {
        const facts = await stat(known);
        if (pkg.size === undefined || pkg.size === facts.size) {
          reused();
          return { path: known, digest: pkg.digest, size: facts.size };
        }
      }
      if (local === undefined) {
        const archive = await download(files, pkg, progress);
        size(archive.size);
        return archive;
      }
      const verified = await verifyInPlace(local, pkg, cacheDirectory, progress);
      if (verified.reused) reused();
      return verified.archive;
    }).catch((thrown: unknown) => {
      throw asSpacktainersError(thrown, { url: pkg.archiveUrl });
    });
  }

  return {
    async find(files, { digest, archivePath }) {
      const local = files.localFile(archivePath);
      if (local === undefined) return blobs.find(digest);
      return (await verifiedBefore(local, digest, cacheDirectory)) === undefined ? undefined : local;
    },
    async fetch(files, pkg) {
      const running = underway.get(pkg.digest);
      if (running !== undefined) return running;
      const slot = files.localFile(pkg.archivePath) === undefined ? downloading : hashing;
      const started = slot(() => fetch(files, pkg)).finally(() => underway.delete(pkg.digest));
      underway.set(pkg.digest, started);
      return started;
    },
    async prune(maxBytes = defaultDownloadBytes) {
      await removeOldPartials(partials, partialAgeMs, clock);
      return blobs.prune(maxBytes);
    },
  };
}

/** Runs at most `count` pieces of work at a time, in the order asked. */
function openSlots(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

/** Name under which is kept that a file had a digest: it changes when the file does. */
async function verifiedRecord(
  path: string,
  cacheDirectory: string,
): Promise<{ record: string; size: number }> {
  const { key, size } = await fileState(path);
  const name = hexOfDigest(key);
  return { record: join(cacheDirectory, "index", "verified", name.slice(0, 2), name), size };
}

async function verifiedBefore(path: string, digest: Digest, cacheDirectory: string) {
  const facts = await verifiedRecord(path, cacheDirectory).catch(() => undefined);
  if (facts === undefined) return undefined;
  const known = await readFile(facts.record, "utf8").catch(() => "");
  return known === digest ? facts : undefined;
}

/** Hashes a file of a local cache where it lies, once for each state of the file. */
async function verifyInPlace(
  path: string,
  pkg: CachedPackage,
  cacheDirectory: string,
  onBytes: (bytes: number) => void,
): Promise<{ readonly archive: FetchedArchive; readonly reused: boolean }> {
  const { digest } = pkg;
  const before = await verifiedBefore(path, digest, cacheDirectory);
  if (before !== undefined) return { archive: { path, digest, size: before.size }, reused: true };
  const { record, size } = await verifiedRecord(path, cacheDirectory);
  if (pkg.size !== undefined && size !== pkg.size) throw mismatch(path, `has ${size} bytes, not ${pkg.size}`);
  const actual = await digestOfFile(path, onBytes);
  if (actual !== digest) throw mismatch(path, `has ${actual}, not ${digest}`);
  // If the file changed while it was read, the record's name has changed with it.
  if ((await verifiedRecord(path, cacheDirectory)).record === record)
    await writeFileAtomically(record, digest);
  return { archive: { path, digest, size }, reused: false };
}

function mismatch(path: string, what: string): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", `the archive ${what}`, {
    place: { file: path },
    hint: "the file in the cache does not match its metadata; spacktainers did not use it",
  });
}
