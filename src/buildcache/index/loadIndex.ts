/** Fetches a cache's index, keeps it in its local form, and asks the cache only whether it changed. */
import { mkdir, readdir, readFile, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sweepTemporaries, temporaryPath, writeFileAtomically } from "../../util/atomicFile.ts";
import { ageOfFile } from "../../util/clock.ts";
import { type Digest, digestOf, hexOfDigest } from "../../util/digest.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { isJsonObject } from "../../util/json.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import { blobPath3, layout2, layout3 } from "../layoutPaths.ts";
import { parseManifest, recordOf } from "../manifest.ts";
import type { CacheStore } from "../store.ts";
import type { CacheIndex, CacheLayout } from "../types.ts";
import { indexDataPath, makeIndexTable, openIndex } from "./openIndex.ts";

/** Changes when the local form does: what an older program wrote is made again. */
const stateFormat = 1;

/** Time in milliseconds that another process may take from finishing an index to opening it. */
const settlingMs = 60_000;

/** What is remembered of the index fetched last. */
interface IndexState {
  readonly format: typeof stateFormat;
  /** The cache, for people who look. */
  readonly url: string;
  /** Version of the file that announces the index: `index.json` (v2), the index manifest (v3). */
  readonly version: string | undefined;
  /** SHA-256 of the index. */
  readonly digest: Digest;
  /** Folder of the local form. */
  readonly folder: string;
}

/** Where an index can be fetched. */
interface IndexOffer {
  readonly path: string;
  readonly version: string | undefined;
  readonly digest: Digest | undefined;
  readonly size: number | undefined;
}

export interface LoadIndexOptions {
  readonly emit: EmitEvent;
  /** Folder for what is kept of this cache. */
  readonly folder: string;
}

/**
 * The layouts whose index an earlier run kept: what is left of a cache that cannot be reached.
 *
 * @param error thrown when there are none
 */
export async function keptLayouts(folder: string, error: SpacktainersError): Promise<readonly CacheLayout[]> {
  const layouts: readonly CacheLayout[] = [3, 2];
  const states = await Promise.all(layouts.map((layout) => readState(folder, layout)));
  const kept = layouts.filter((_, at) => states[at] !== undefined);
  if (kept.length === 0) throw error;
  return kept;
}

/**
 * The index of one layout of a cache; undefined when the cache has none. When the cache cannot be reached, the copy of
 * an earlier run is used, with a warning.
 *
 * @throws NETWORK, ACCESS_DENIED; CACHE_INVALID or CHECKSUM_MISMATCH when what the cache has is no proper index
 */
export async function loadIndex(
  store: CacheStore,
  layout: CacheLayout,
  options: LoadIndexOptions,
): Promise<CacheIndex | undefined> {
  const place = placeOf(store, layout === 2 ? layout2.index : layout3.indexManifest);
  const state = await readState(options.folder, layout);
  const opened =
    state === undefined ? undefined : await openIndex(join(options.folder, state.folder), layout, place);
  const known = opened === undefined ? undefined : state;
  let offer: IndexOffer | "unchanged" | undefined;
  try {
    offer = await (layout === 2 ? offer2(store, known) : offer3(store, known));
  } catch (thrown) {
    const unreachable = thrown instanceof SpacktainersError && thrown.code === "NETWORK";
    if (opened === undefined || !unreachable) throw thrown;
    options.emit({
      type: "warning",
      code: "CACHE_UNAVAILABLE",
      message: `the build cache cannot be reached (${thrown.message}); its index of an earlier run is used`,
      place: { url: store.url },
    });
    return opened;
  }
  if (offer === undefined) {
    await rm(join(options.folder, stateName(layout)), { force: true });
    return undefined;
  }
  if (offer === "unchanged") {
    const now = new Date();
    await utimes(join(options.folder, stateName(layout)), now, now).catch(() => {});
    return opened;
  }
  return fetchIndex(store, layout, offer, options, place);
}

/** Layout v2: `index.json`, with its digest in a file beside it (which may be a moment older or newer). */
async function offer2(
  store: CacheStore,
  known: IndexState | undefined,
): Promise<IndexOffer | "unchanged" | undefined> {
  if (known !== undefined && store.kind !== "file") {
    const { bytes } = await store.get(layout2.indexHash, { maxBytes: 4096 });
    if (Buffer.from(bytes).toString("latin1").trim() === hexOfDigest(known.digest)) return "unchanged";
  }
  const facts = await store.stat(layout2.index);
  if (facts === undefined) return undefined;
  if (facts.version !== undefined && facts.version === known?.version) return "unchanged";
  return { path: layout2.index, version: facts.version, digest: undefined, size: facts.size };
}

/** Layout v3: a small manifest names the index by its digest. */
async function offer3(
  store: CacheStore,
  known: IndexState | undefined,
): Promise<IndexOffer | "unchanged" | undefined> {
  const path = layout3.indexManifest;
  const version = known?.version;
  const answer = await store.get(path, { maxBytes: 2 ** 20, ...(version === undefined ? {} : { version }) });
  if (answer.status === "missing") return undefined;
  if (answer.status === "unchanged") return "unchanged";
  const record = recordOf(parseManifest(answer.bytes, placeOf(store, path)), "db", 6, 9);
  if (record === undefined)
    throw new SpacktainersError("CACHE_INVALID", "the index manifest names no index that can be read here", {
      place: placeOf(store, path),
    });
  if (record.compression !== "none")
    throw new SpacktainersError("NOT_SUPPORTED", "the cache's index is compressed", {
      place: placeOf(store, path),
    });
  if (record.digest === known?.digest) return "unchanged";
  return {
    path: blobPath3(record.digest),
    version: answer.version,
    digest: record.digest,
    size: record.size,
  };
}

async function fetchIndex(
  store: CacheStore,
  layout: CacheLayout,
  offer: IndexOffer,
  options: LoadIndexOptions,
  place: Place,
): Promise<CacheIndex> {
  const task = {
    kind: "index",
    subject: `${store.id}:${layout}`,
    label: store.url,
    bytes: offer.size,
  } as const;
  return runTask(options.emit, task, async ({ progress, size: sized }) => {
    await mkdir(options.folder, { recursive: true });
    await sweepTemporaries(options.folder);
    const temporary = temporaryPath(options.folder);
    try {
      await mkdir(temporary);
      const { digest, size } = await store.download(offer.path, indexDataPath(temporary), {
        expectedDigest: offer.digest,
        expectedSize: offer.digest === undefined ? undefined : offer.size,
        maxBytes: 2 ** 32 - 1,
        onBytes: progress,
        partialDirectory: options.folder,
      });
      sized(size);
      await makeIndexTable(temporary, place);
      // Every fetch gets a name of its own: another process may have the older one open.
      const folder = `v${layout}-${hexOfDigest(digest).slice(0, 16)}-${temporary.slice(-12)}`;
      await rename(temporary, join(options.folder, folder));
      const index = await openIndex(join(options.folder, folder), layout, place);
      if (index === undefined)
        throw new SpacktainersError("INTERNAL", "a fresh index cannot be opened", { place });
      const { url } = store;
      const state: IndexState = { format: stateFormat, url, version: offer.version, digest, folder };
      await writeFileAtomically(join(options.folder, stateName(layout)), sealed(state));
      await removeOthers(options.folder, layout, folder);
      return index;
    } catch (thrown) {
      await rm(temporary, { recursive: true, force: true });
      throw thrown;
    }
  });
}

function stateName(layout: CacheLayout): string {
  return `v${layout}.json`;
}

function sealed(state: IndexState): string {
  const text = JSON.stringify(state);
  return `${text}\n${digestOf(text)}\n`;
}

async function readState(folder: string, layout: CacheLayout): Promise<IndexState | undefined> {
  const text = await readFile(join(folder, stateName(layout)), "utf8").catch(() => "");
  const [line = "", sum] = text.split("\n");
  if (sum !== digestOf(line)) return undefined;
  const state: unknown = JSON.parse(line);
  if (!isJsonObject(state) || state.format !== stateFormat) return undefined;
  return state as unknown as IndexState;
}

async function removeOthers(folder: string, layout: CacheLayout, keep: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`v${layout}-`) || name === keep) continue;
    const path = join(folder, name);
    // What was finished a moment ago is about to be opened by another process.
    if (Math.abs(await ageOfFile(path)) > settlingMs) await removeIfPossible(path);
  }
}

function placeOf(store: CacheStore, path: string): Place {
  return store.kind === "file" ? { file: store.locate(path) } : { url: store.locate(path) };
}
