/** Fetches a cache's index, keeps it in its local form, and asks the cache only whether it changed. */
import { mkdir, readdir, readFile, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { sweepTemporaries, temporaryPath, writeFileAtomically } from "../../util/atomicFile.ts";
import { ageOfFile } from "../../util/clock.ts";
import { digestOf, hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { isJsonObject } from "../../util/json.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import type { CacheFormat, IndexOffer, KnownIndex } from "../formats/format.ts";
import type { CacheIndex, FormatName } from "../types.ts";
import { indexDataPath, makeIndexTable, openIndex } from "./openIndex.ts";

/** Changes when the local form does: what an older program wrote is made again. */
const stateFormat = 1;

/** Time in milliseconds that another process may take from finishing an index to opening it. */
const settlingMs = 60_000;

/** What is remembered of the index fetched last. */
interface IndexState extends KnownIndex {
  readonly format: typeof stateFormat;
  /** The cache, for people who look. */
  readonly url: string;
  /** Folder of the local form. */
  readonly folder: string;
}

export interface LoadIndexOptions {
  readonly emit: EmitEvent;
  /** The cache, for messages. */
  readonly url: string;
  /** Folder for what is kept of this cache. */
  readonly folder: string;
}

/**
 * The formats whose index an earlier run kept: what is left of a cache that cannot be reached.
 *
 * @param error thrown when there are none
 */
export async function keptFormats(
  formats: readonly CacheFormat[],
  folder: string,
  error: SpacktainersError,
): Promise<readonly CacheFormat[]> {
  const states = await Promise.all(formats.map(({ name }) => readState(folder, name)));
  const kept = formats.filter((_, at) => states[at] !== undefined);
  if (kept.length === 0) throw error;
  return kept;
}

/**
 * The index of one format of a cache; undefined when the cache has none. When the cache cannot be reached, the copy of
 * an earlier run is used, with a warning.
 *
 * @throws NETWORK, ACCESS_DENIED; CACHE_INVALID or CHECKSUM_MISMATCH when what the cache has is no proper index
 */
export async function loadIndex(
  format: CacheFormat,
  options: LoadIndexOptions,
): Promise<CacheIndex | undefined> {
  const { folder, url } = options;
  const place = format.indexPlace;
  const state = await readState(folder, format.name);
  const opened = state === undefined ? undefined : await openIndex(join(folder, state.folder), place);
  const known = opened === undefined ? undefined : state;
  let offer: IndexOffer | "unchanged" | undefined;
  try {
    offer = await format.findIndex(known);
  } catch (thrown) {
    const unreachable = thrown instanceof SpacktainersError && thrown.code === "NETWORK";
    if (opened === undefined || !unreachable) throw thrown;
    options.emit({
      type: "warning",
      code: "CACHE_UNAVAILABLE",
      message: `the build cache cannot be reached (${thrown.message}); using its index from an earlier run`,
      place: { url },
    });
    return opened;
  }
  if (offer === undefined) {
    await rm(join(folder, stateName(format.name)), { force: true });
    return undefined;
  }
  if (offer === "unchanged") {
    const now = new Date();
    await utimes(join(folder, stateName(format.name)), now, now).catch(() => {});
    return opened;
  }
  return fetchIndex(format, offer, options);
}

async function fetchIndex(
  { name, files, indexPlace: place }: CacheFormat,
  offer: IndexOffer,
  options: LoadIndexOptions,
): Promise<CacheIndex> {
  const { url } = options;
  const task = {
    kind: "index",
    subject: `${options.folder}:${name}`,
    label: url,
    bytes: offer.size,
  } as const;
  return runTask(options.emit, task, async ({ progress, size: sized }) => {
    await makeDirectory(options.folder);
    await sweepTemporaries(options.folder);
    const temporary = temporaryPath(options.folder);
    try {
      await mkdir(temporary);
      const { digest, size } = await files.download(offer.path, indexDataPath(temporary), {
        expectedDigest: offer.digest,
        expectedSize: offer.digest === undefined ? undefined : offer.size,
        maxBytes: 2 ** 32 - 1,
        onBytes: progress,
        partialDirectory: options.folder,
      });
      sized(size);
      await makeIndexTable(temporary, place);
      // Every fetch gets a name of its own: another process may have the older one open.
      const folder = `${name}-${hexOfDigest(digest).slice(0, 16)}-${temporary.slice(-12)}`;
      await rename(temporary, join(options.folder, folder));
      const index = await openIndex(join(options.folder, folder), place);
      if (index === undefined)
        throw new SpacktainersError("INTERNAL", "a fresh index cannot be opened", { place });
      const state: IndexState = { format: stateFormat, url, version: offer.version, digest, folder };
      await writeFileAtomically(join(options.folder, stateName(name)), sealed(state));
      await removeOthers(options.folder, name, folder);
      return index;
    } catch (thrown) {
      await rm(temporary, { recursive: true, force: true });
      throw thrown;
    }
  });
}

function stateName(format: FormatName): string {
  return `${format}.json`;
}

function sealed(state: IndexState): string {
  const text = JSON.stringify(state);
  return `${text}\n${digestOf(text)}\n`;
}

async function readState(folder: string, format: FormatName): Promise<IndexState | undefined> {
  const text = await readFile(join(folder, stateName(format)), "utf8").catch(() => "");
  const [line = "", sum] = text.split("\n");
  if (sum !== digestOf(line)) return undefined;
  const state: unknown = JSON.parse(line);
  if (!isJsonObject(state) || state.format !== stateFormat) return undefined;
  return state as unknown as IndexState;
}

async function removeOthers(folder: string, format: FormatName, keep: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${format}-`) || name === keep) continue;
    const path = join(folder, name);
    // What was finished a moment ago is about to be opened by another process.
    if (Math.abs(await ageOfFile(path)) > settlingMs) await removeIfPossible(path);
  }
}
