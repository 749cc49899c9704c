/**
 * Downloads into a file: hashed on the way, visible only when whole and right, continued after a broken connection or,
 * when its digest is known beforehand, by a later run. Safe when several processes download the same file.
 */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ageOfFile, type Clock, systemClock } from "../util/clock.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { makeDirectory } from "../util/makeDirectory.ts";
import { hostTag, processIsAlive } from "../util/processes.ts";
import { redactUrl } from "../util/redact.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";
import { ContentChanged, continuedBytes, type OpenBytes } from "./byteStream.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

export interface DownloadOptions {
  /** The download fails with CHECKSUM_MISMATCH when the content has another SHA-256. */
  readonly expectedDigest?: Digest | undefined;
  /** The download fails with CHECKSUM_MISMATCH when the content has another length, in bytes. */
  readonly expectedSize?: number | undefined;
  /** Upper bound when the size is not known; default 64 GiB. */
  readonly maxBytes?: number | undefined;
  /** Told the number of bytes that became available since the last call; first those of an earlier run. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Where unfinished downloads lie; default: the directory of the destination. Must be on the same disk. */
  readonly partialDirectory?: string | undefined;
}

export interface Downloaded {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** How a transport reads bytes, and how often it tries. */
export interface Opening {
  readonly open: OpenBytes;
  readonly policy: RetryPolicy;
}

/**
 * Downloads `url` through `open` to `destination`, replacing it atomically.
 *
 * @throws CHECKSUM_MISMATCH when size or digest differ from those expected; what the transport throws
 */
export async function downloadBytes(
  url: string,
  destination: string,
  opening: Opening,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const directory = options.partialDirectory ?? dirname(destination);
  await makeDirectory(directory);
  await makeDirectory(dirname(destination));
  const partials = partialFiles(directory, basename(destination));
  // Only a digest can prove that the beginning found and the end fetched belong together.
  const resumable = options.expectedDigest !== undefined;
  let partial = resumable ? await partials.claim() : partials.fresh();
  try {
    let resumedAt = await sizeOf(partial);
    for (let restarts = 0; ; restarts++) {
      try {
        const done = await appendRest({ url, ...opening }, partial, resumedAt, options);
        await rename(partial, destination);
        return done;
      } catch (thrown) {
        const mismatch = thrown instanceof SpacktainersError && thrown.code === "CHECKSUM_MISMATCH";
        if (mismatch || thrown instanceof ContentChanged) await rm(partial, { force: true });
        // Start again once: an old partial file may be of another version, and so may a file that changed meanwhile.
        const again = thrown instanceof ContentChanged || (mismatch && resumedAt > 0);
        if (!again) throw thrown;
        if (restarts > 0) {
          const message = "the file on the server changed while it was being downloaded";
          throw mismatch
            ? thrown
            : new SpacktainersError("NETWORK", message, {
                place: { url: redactUrl(url) },
                hint: "run this command again; if the error persists, ask the operator of the server",
              });
        }
        partial = partials.fresh();
        resumedAt = 0;
      }
    }
  } catch (thrown) {
    if (resumable) await partials.release(partial);
    else await rm(partial, { force: true });
    throw thrown;
  }
}

async function appendRest(
  { url, open: openBytes, policy }: Opening & { readonly url: string },
  partial: string,
  offset: number,
  options: DownloadOptions,
): Promise<Downloaded> {
  const hash = createHash("sha256");
  const file = await open(partial, "a+", 0o644);
  try {
    if (offset > 0) {
      await updateFromFile(hash, partial);
      options.onBytes?.(offset);
    }
    let size = offset;
    if (size === 0 || size !== options.expectedSize) {
      const first = await withRetries(policy, url, () => openBytes(offset, undefined));
      if (first.offset !== offset) throw new ContentChanged();
      const limits = {
        maxBytes: options.expectedSize ?? options.maxBytes ?? 64 * 2 ** 30,
        verified: options.expectedDigest !== undefined,
      };
      if (
        options.expectedSize !== undefined &&
        (first.total ?? options.expectedSize) !== options.expectedSize
      )
        throw sizeMismatch(url, first.total ?? 0, options.expectedSize);
      for await (const chunk of continuedBytes(url, first, { open: openBytes, policy, limits })) {
        hash.update(chunk);
        await file.writeFile(chunk);
        size += chunk.length;
        options.onBytes?.(chunk.length);
      }
    }
    if (options.expectedSize !== undefined && size !== options.expectedSize)
      throw sizeMismatch(url, size, options.expectedSize);
    const digest = digestOfHex(hash.digest("hex"));
    if (options.expectedDigest !== undefined && digest !== options.expectedDigest)
      throw digestMismatch(url, digest, options.expectedDigest);
    return { digest, size };
  } finally {
    await file.close();
  }
}

/**
 * Names of unfinished downloads of one file. A process owns those that carry its host and process number; those of
 * dead processes of this host, and those released after a failure, are there for the taking: renaming decides who gets one.
 */
function partialFiles(directory: string, name: string) {
  const released = join(directory, `${name}.partial`);
  const own = (): string =>
    join(directory, `${name}.${hostTag}.${process.pid}.${randomBytes(6).toString("hex")}.partial`);
  return {
    /** A name of our own for a download from the beginning. */
    fresh: own,
    /** The longest unfinished download that nobody works on, renamed to a name of our own; else a fresh name. */
    async claim(): Promise<string> {
      const candidates: { path: string; size: number }[] = [];
      for (const entry of await readdir(directory)) {
        if (!entry.startsWith(`${name}.`) || !entry.endsWith(".partial")) continue;
        const path = join(directory, entry);
        const owner = entry.slice(name.length + 1).split(".");
        const free = path === released || (owner[0] === hostTag && !processIsAlive(Number(owner[1])));
        if (free) candidates.push({ path, size: await sizeOf(path) });
      }
      candidates.sort((a, b) => b.size - a.size);
      const mine = own();
      for (const { path } of candidates) {
        const won = await rename(path, mine).then(
          () => true,
          () => false,
        );
        if (won) return mine;
      }
      return mine;
    },
    /** Leaves an unfinished download to whoever tries next. */
    async release(path: string): Promise<void> {
      if ((await sizeOf(path)) === 0) await rm(path, { force: true });
      else await rename(path, released).catch(() => {});
    },
  };
}

/** Removes unfinished downloads that nobody touched for `maxAgeMs`, as far as they can be removed. */
export async function removeOldPartials(
  directory: string,
  maxAgeMs: number,
  clock: Clock = systemClock,
): Promise<void> {
  for (const entry of await readdir(directory).catch(() => [])) {
    if (!entry.endsWith(".partial")) continue;
    const path = join(directory, entry);
    if ((await ageOfFile(path, clock)) > maxAgeMs) await removeIfPossible(path);
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (facts) => facts.size,
    () => 0,
  );
}

async function updateFromFile(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
}

function sizeMismatch(url: string, actual: number, expected: number): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", `the file has ${actual} bytes, not ${expected}`, {
    place: { url: redactUrl(url) },
    hint: "the file on the server does not match its metadata; spacktainers did not use it",
  });
}

function digestMismatch(url: string, actual: Digest, expected: Digest): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", `the file has ${actual}, not ${expected}`, {
    place: { url: redactUrl(url) },
    hint: "the file on the server does not match its metadata; spacktainers did not use it",
  });
}
