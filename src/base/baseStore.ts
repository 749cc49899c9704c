/**
 * What bases leave on disk, below one directory: `debs/` and `layers/` (blobs by digest), `releases/` and `indexes/` (of
 * archives), `requests/` (what was chosen for a request), `built/` (what a key stands for), `inventories/` (of layers of
 * images), `files/` (digests of files), `completions/` (libraries added to a base for its packages), `incoming/`
 * (unfinished).
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { sweepTemporaries, writeFileAtomically } from "../util/atomicFile.ts";
import { type BlobStore, openBlobStore } from "../util/blobStore.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { type Digest, digestOf, hexOfDigest } from "../util/digest.ts";
import { isJsonObject, type Json } from "../util/json.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";

/** The usual place of what bases leave on disk. */
export function baseCacheDirectory(env?: NodeJS.ProcessEnv): string {
  return join(cacheHome(env), "base");
}

/** Version of every document written here: a change makes old ones unseen. */
const storeFormat = 2;

/** Folders with JSON documents. */
const documentFolders = ["releases", "requests", "built", "inventories", "files", "completions"] as const;
type DocumentFolder = (typeof documentFolders)[number];

export interface BaseStore {
  readonly directory: string;
  readonly debs: BlobStore;
  readonly layers: BlobStore;
  /** Path of the compact form of an index. */
  indexPath(digest: Digest): string;
  /** Directory for unfinished downloads. */
  readonly incoming: string;
  /** A document, undefined when there is none (or none that can be read). Written by us: its content is not doubted. */
  read<T>(folder: DocumentFolder, key: Digest): Promise<T | undefined>;
  write(folder: DocumentFolder, key: Digest, content: object): Promise<void>;
  /** Removes what was not used for long, and what killed runs left behind. */
  prune(): Promise<void>;
}

/** What each part may hold after {@link BaseStore.prune}, in bytes. */
const limits = { debs: 2 ** 30, layers: 4 * 2 ** 30, indexes: 2 ** 28, documents: 2 ** 27 } as const;
/** Unfinished downloads older than this are of no use any more; in milliseconds. */
const maxIncomingAge = 7 * 86_400_000;

/** Opens the store in `directory`; folders are made when needed. */
export function openBaseStore(directory: string, clock: Clock = systemClock): BaseStore {
  const path = (folder: DocumentFolder, key: Digest): string =>
    join(directory, folder, `${hexOfDigest(key)}.json`);
  const debs = openBlobStore(join(directory, "debs"), clock);
  const layers = openBlobStore(join(directory, "layers"), clock);
  return {
    directory,
    debs,
    layers,
    incoming: join(directory, "incoming"),
    indexPath: (digest) => join(directory, "indexes", `${hexOfDigest(digest)}.tsv`),
    async read<T>(folder: DocumentFolder, key: Digest): Promise<T | undefined> {
      const text = await readFile(path(folder, key), "utf8").catch(() => undefined);
      if (text === undefined) return undefined;
      try {
        const document: unknown = JSON.parse(text);
        if (!isJsonObject(document) || document.format !== storeFormat) return undefined;
        return document.content as T;
      } catch {
        return undefined;
      }
    },
    async write(folder, key, content) {
      await writeFileAtomically(path(folder, key), JSON.stringify({ format: storeFormat, content }));
    },
    async prune() {
      await debs.prune(limits.debs);
      await layers.prune(limits.layers);
      for (const folder of ["incoming", "indexes", ...documentFolders])
        await sweepTemporaries(join(directory, folder));
      await pruneFolder(join(directory, "indexes"), limits.indexes, clock);
      for (const folder of documentFolders)
        await pruneFolder(join(directory, folder), limits.documents, clock);
      await pruneFolder(join(directory, "incoming"), Number.POSITIVE_INFINITY, clock, maxIncomingAge);
    },
  };
}

/** Removes the oldest files of a folder until at most `maxBytes` remain, and those older than `maxAge`. */
async function pruneFolder(
  directory: string,
  maxBytes: number,
  clock: Clock,
  maxAge = Number.POSITIVE_INFINITY,
): Promise<void> {
  const files: { path: string; size: number; time: number }[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isFile() === true) files.push({ path, size: facts.size, time: facts.mtimeMs });
  }
  files.sort((a, b) => b.time - a.time);
  let total = 0;
  for (const { path, size, time } of files) {
    total += size;
    if (total <= maxBytes && clock() - time <= maxAge) continue;
    await removeIfPossible(path);
  }
}

/** The key for these inputs: a digest of their JSON text, object keys in the order given. */
export function baseKeyOf(inputs: Json): Digest {
  return digestOf(JSON.stringify(inputs));
}

/** A key for a name that must not be stored in plain text (a URL may have a password in it). */
export function keyOfName(name: string): Digest {
  return `sha256:${createHash("sha256").update(name).digest("hex")}` as Digest;
}
