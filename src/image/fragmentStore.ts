/**
 * Finished fragments on this machine, found by what decides their bytes.
 *
 * `blobs/` holds the files by digest, `keys/` for each key a small JSON file with the facts and, beside it, the inventory.
 * A file of facts appears last, so that what it names is there; what turns out to be missing or damaged is made again.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { gzipJsonLine } from "../archive/compressStream.ts";
import type { Inventory } from "../archive/inventory.ts";
import type { FragmentDescriptor } from "../archive/writeFragment.ts";
import { nameFile, sweepTemporaries, writeFileAtomically } from "../util/atomicFile.ts";
import { type BlobStore, openBlobStore } from "../util/blobStore.ts";
import { ageOfFile } from "../util/clock.ts";
import { parseDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";

/** Form of the stored files. A store of another form is not read. */
const storeVersion = 4;
/** No inventory is larger than this when uncompressed. */
const maxInventoryBytes = 2 ** 30;

const inflate = promisify(gunzip);

/** Everything that decides a fragment's bytes, as one text: see {@link fragmentKey}. */
export type FragmentKey = string & { readonly __fragmentKey: never };

/**
 * The key of a fragment: a digest of all that decides its bytes.
 * @param facts plain JSON data: archive digest, prefixes, options, versions of the transformations and of the encoder. Object
 *   keys are sorted here; lists keep their order.
 */
export function fragmentKey(facts: unknown): FragmentKey {
  return createHash("sha256").update(canonicalJson(facts)).digest("hex") as FragmentKey;
}

/** A fragment in the store. */
export interface StoredFragment extends FragmentDescriptor {
  readonly key: FragmentKey;
  readonly path: string;
  /** Reads what is in it. */
  inventory(): Promise<Inventory>;
  /** The same as it is stored: one line of JSON, compressed. */
  inventoryBytes(): Promise<Buffer>;
}

/** What a maker of a fragment hands back. */
export interface MadeFragment {
  readonly facts: FragmentDescriptor;
  readonly inventory: Inventory;
}

export interface FragmentStore {
  /** The fragment if it is there and whole, as far as its size tells; its use is recorded for {@link FragmentStore.prune}. */
  find(key: FragmentKey): Promise<StoredFragment | undefined>;
  /**
   * The fragment, made by `write` when it is not there. `write` fills the new file at the path it is given; what it throws
   * is passed on and leaves nothing behind. Asked twice at the same time, it is made once.
   */
  make(key: FragmentKey, write: (temporary: string) => Promise<MadeFragment>): Promise<StoredFragment>;
  /** Forgets what a key stands for: it is made again when it is asked for. */
  forget(key: FragmentKey): Promise<void>;
  /** Removes the least recently used fragments until at most `maxBytes` remain, and what killed runs left behind. */
  prune(maxBytes: number): Promise<{ readonly removed: number; readonly bytes: number }>;
}

/** Opens (and on first use makes) the store in `directory`, usually `fragments/` of `cacheHome()`. */
export function openFragmentStore(directory: string): FragmentStore {
  const blobs = openBlobStore(join(directory, "blobs"));
  const underWay = new Map<FragmentKey, Promise<StoredFragment>>();
  const fileOf = (key: FragmentKey, ending: string): string =>
    join(directory, "keys", key.slice(0, 2), `${key}${ending}`);

  async function find(key: FragmentKey): Promise<StoredFragment | undefined> {
    const facts = await readFacts(fileOf(key, ".json"));
    if (facts === undefined) return undefined;
    const path = await blobs.find(facts.digest);
    if (path === undefined) return undefined;
    const [blob, inventory] = await Promise.all([sizeOf(path), sizeOf(fileOf(key, inventoryEnding))]);
    if (blob !== facts.size || inventory === undefined || inventory === 0) return undefined;
    return stored(key, facts, path);
  }

  function stored(key: FragmentKey, facts: FragmentDescriptor, path: string): StoredFragment {
    const inventory = fileOf(key, inventoryEnding);
    return {
      ...facts,
      key,
      path,
      inventory: () => readInventory(inventory),
      inventoryBytes: () => readFile(inventory),
    };
  }

  async function makeAnew(
    key: FragmentKey,
    write: (temporary: string) => Promise<MadeFragment>,
  ): Promise<StoredFragment> {
    const temporary = await blobs.temporary();
    try {
      const { facts, inventory } = await write(temporary);
      const packed = await gzipJsonLine(inventory);
      await mkdir(join(fileOf(key, ""), ".."), { recursive: true });
      await writeFileAtomically(fileOf(key, inventoryEnding), packed);
      const path = await blobs.adopt(temporary, facts.digest);
      await writeFileAtomically(fileOf(key, ".json"), JSON.stringify(storedFacts(key, facts)));
      return stored(key, facts, path);
    } catch (error) {
      await rm(temporary, { force: true });
      nameFile(error, temporary);
      throw error;
    }
  }

  return {
    find,
    make(key, write) {
      const running = underWay.get(key);
      if (running !== undefined) return running;
      const making = find(key)
        .then((found) => found ?? makeAnew(key, write))
        .finally(() => underWay.delete(key));
      underWay.set(key, making);
      return making;
    },
    async forget(key) {
      await rm(fileOf(key, ".json"), { force: true });
    },
    async prune(maxBytes) {
      const result = await blobs.prune(maxBytes);
      await pruneKeys(join(directory, "keys"), blobs);
      return result;
    },
  };
}

const inventoryEnding = ".inventory.json.gz";

/** An inventory that has no facts beside it for so long never will; in milliseconds. */
const orphanAge = 86_400_000;

/** Removes keys whose blob is gone, and inventories of fragments that were never finished. */
async function pruneKeys(directory: string, blobs: BlobStore): Promise<void> {
  for (const shard of await readdir(directory).catch(() => [])) {
    const folder = join(directory, shard);
    await sweepTemporaries(folder);
    const names: readonly string[] = await readdir(folder).catch(() => []);
    for (const name of names) {
      if (name.endsWith(inventoryEnding) && !names.includes(name.replace(inventoryEnding, ".json"))) {
        const age = await ageOfFile(join(folder, name));
        if (age > orphanAge) await removeIfPossible(join(folder, name));
      }
      if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
      const facts = await readFacts(join(folder, name));
      if (facts !== undefined && (await sizeOf(blobs.path(facts.digest))) !== undefined) continue;
      await removeIfPossible(join(folder, name));
      await removeIfPossible(join(folder, name.replace(/\.json$/, inventoryEnding)));
    }
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (facts) => facts.size,
    () => undefined,
  );
}

/** What is written of a fragment: its facts, and a digest of them, as nothing else shows when one of them is damaged. */
function storedFacts(key: string, facts: FragmentDescriptor): JsonObject {
  return { version: storeVersion, ...facts, sum: fragmentKey({ key, facts }) };
}

/** The facts in a file, or undefined when there is no such file or it is not whole. */
async function readFacts(path: string): Promise<FragmentDescriptor | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const facts = isJsonObject(json) && json.version === storeVersion ? parseFacts(json) : undefined;
  if (facts === undefined || !isJsonObject(json)) return undefined;
  return storedFacts(basename(path, ".json"), facts).sum === json.sum ? facts : undefined;
}

function parseFacts(json: JsonObject): FragmentDescriptor | undefined {
  const digest = typeof json.digest === "string" ? parseDigest(json.digest) : undefined;
  const diffId = typeof json.diffId === "string" ? parseDigest(json.diffId) : undefined;
  const { compression, size, tarSize, bodyStart, bodyEnd, parents } = json;
  if (compression !== "gzip" && compression !== "zstd") return undefined;
  if (digest === undefined || diffId === undefined || !Array.isArray(parents)) return undefined;
  const isParents = (list: readonly unknown[]): list is readonly string[] =>
    list.every((item) => typeof item === "string");
  if (!isCount(size) || !isCount(tarSize) || !isCount(bodyStart) || !isCount(bodyEnd)) return undefined;
  if (bodyStart > bodyEnd || bodyEnd > size || !isParents(parents)) return undefined;
  return { compression, digest, size, diffId, tarSize, bodyStart, bodyEnd, parents };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

async function readInventory(path: string): Promise<Inventory> {
  try {
    const text = await inflate(await readFile(path), { maxOutputLength: maxInventoryBytes });
    const json: unknown = JSON.parse(text.toString("utf8"));
    if (!isJsonObject(json) || !Array.isArray(json.entries)) throw new Error("not an inventory");
    // Our own file, checked by gzip's CRC: its form is not checked again.
    return json as unknown as Inventory;
  } catch (error) {
    // So that the next run makes it again.
    await rm(path, { force: true });
    throw new SpacktainersError("IO", "a stored inventory is damaged", {
      place: { file: path },
      hint: "it was removed; run the same command again",
      cause: error,
    });
  }
}

/** JSON with the keys of objects sorted by code units. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
