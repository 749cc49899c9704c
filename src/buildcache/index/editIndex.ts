/** Changes an index. It copies records as they are, one after the other, so that a large index need not fit into memory. */
import { type FileHandle, open } from "node:fs/promises";
import type { DagHash } from "../../spec/concrete.ts";
import { parseDagHash } from "../../spec/concrete.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject, type Json } from "../../util/json.ts";
import type { SpecDocument } from "../specDocument.ts";
import { scanIndex } from "./indexScanner.ts";

/** What is to be different. */
export interface IndexEdit {
  /** Specs of packages that can be downloaded, with their dependencies. */
  readonly add: readonly Pick<SpecDocument, "root" | "nodes">[];
  /** Packages that cannot be downloaded any more. */
  readonly remove: ReadonlySet<DagHash>;
  /** Version of the database: the nodes are written in its dialect. */
  readonly databaseVersion: number;
}

/** What came of an edit. */
export interface EditedIndex {
  /** Packages that can be downloaded. */
  readonly packages: number;
  readonly added: number;
  readonly removed: number;
}

/** A record while it is worked on. */
interface IndexRecord {
  /** Its node: a text, or where it lies in the source. */
  readonly node: string | { readonly offset: number; readonly length: number };
  readonly needs: readonly string[];
  downloadable: boolean;
}

/**
 * Writes an index that is the one in `source` with some changes. What is there stays, in its order; what is new comes behind.
 * What was removed stays as a dependency of others, if it is one; what nobody needs goes with it.
 *
 * @param source path of an index; undefined: an empty one
 * @param target path of a file that is made
 * @throws CACHE_INVALID when the source cannot be read; NOT_SUPPORTED when its nodes are in another dialect
 */
export async function editIndex(
  source: string | undefined,
  target: string,
  edit: IndexEdit,
  place: Place,
): Promise<EditedIndex> {
  const records = new Map<string, IndexRecord>();
  const file = source === undefined ? undefined : await open(source, "r");
  try {
    if (file !== undefined) await readRecords(file, records, edit.databaseVersion, place);
    const added = addSpecs(records, edit.add);
    const removed = removePackages(records, edit.remove);
    const output = await open(target, "wx", 0o644);
    try {
      await writeRecords(output, records, file, edit.databaseVersion);
    } finally {
      await output.close();
    }
    const packages = [...records.values()].filter(({ downloadable }) => downloadable).length;
    return { packages, added, removed };
  } finally {
    await file?.close();
  }
}

/** What an index lists. */
export interface ListedPackages {
  /** Version of its database. */
  readonly version: number;
  /** Those that can be downloaded. */
  readonly listed: ReadonlyMap<DagHash, { readonly name: string; readonly version: string }>;
}

/**
 * The packages that an index lists.
 *
 * @throws CACHE_INVALID when it cannot be read
 */
export async function listedPackages(path: string, place: Place): Promise<ListedPackages> {
  const listed = new Map<DagHash, { readonly name: string; readonly version: string }>();
  const decoder = new TextDecoder();
  const file = await open(path, "r");
  try {
    const version = await scanIndex(
      file,
      {
        record(key, { bytes, name }, downloadable) {
          const hash = downloadable ? parseDagHash(decoder.decode(key)) : undefined;
          if (hash === undefined) return;
          const node = parseNode(decoder.decode(bytes), place);
          const version = isJsonObject(node) && typeof node.version === "string" ? node.version : "";
          listed.set(hash, { name, version });
        },
        provides() {},
      },
      place,
    );
    return { version, listed };
  } finally {
    await file.close();
  }
}

async function readRecords(
  file: FileHandle,
  records: Map<string, IndexRecord>,
  databaseVersion: number,
  place: Place,
): Promise<void> {
  const decoder = new TextDecoder();
  const version = await scanIndex(
    file,
    {
      record(key, { offset, bytes }, downloadable) {
        const hash = parseDagHash(decoder.decode(key));
        if (hash === undefined || records.has(hash)) return;
        const needs = neededBy(decoder.decode(bytes), place);
        records.set(hash, { node: { offset, length: bytes.length }, needs, downloadable });
      },
      provides() {},
    },
    place,
  );
  if (version === databaseVersion || records.size === 0) return;
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `the cache's index is in format version ${version}, these packages need version ${databaseVersion}`,
    { place, hint: "packages of different generations of Spack do not fit into one index: use two caches" },
  );
}

/** Hashes of what a node depends on, its build spec included. */
function neededBy(node: string, place: Place): readonly string[] {
  const json = parseNode(node, place);
  if (!isJsonObject(json)) return [];
  const edges: readonly Json[] = Array.isArray(json.dependencies) ? json.dependencies : [];
  return [...edges, json.build_spec].flatMap((edge) =>
    isJsonObject(edge) && typeof edge.hash === "string" ? [edge.hash] : [],
  );
}

function parseNode(node: string, place: Place): unknown {
  try {
    return JSON.parse(node);
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the cache's index has a package that cannot be read", {
      place,
      hint: "rebuild the index: spacktainers cache index",
      cause,
    });
  }
}

function addSpecs(records: Map<string, IndexRecord>, specs: IndexEdit["add"]): number {
  let added = 0;
  for (const { root, nodes } of specs) {
    for (const [hash, node] of nodes)
      if (!records.has(hash)) records.set(hash, { node, needs: neededBy(node, {}), downloadable: false });
    const record = records.get(root.hash);
    if (record === undefined || record.downloadable) continue;
    record.downloadable = true;
    added++;
  }
  return added;
}

function removePackages(records: Map<string, IndexRecord>, hashes: ReadonlySet<DagHash>): number {
  let removed = 0;
  for (const hash of hashes) {
    const record = records.get(hash);
    if (record?.downloadable !== true) continue;
    record.downloadable = false;
    removed++;
  }
  if (removed === 0) return 0;
  const kept = new Set<string>();
  const open = [...records].flatMap(([hash, { downloadable }]) => (downloadable ? [hash] : []));
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    if (kept.has(hash)) continue;
    kept.add(hash);
    open.push(...(records.get(hash)?.needs ?? []));
  }
  for (const hash of [...records.keys()]) if (!kept.has(hash)) records.delete(hash);
  return removed;
}

/** Bytes that are written at a time. */
const writtenAtOnce = 1 << 20;

async function writeRecords(
  output: FileHandle,
  records: ReadonlyMap<string, IndexRecord>,
  source: FileHandle | undefined,
  databaseVersion: number,
): Promise<void> {
  const users = new Map<string, number>();
  for (const { needs } of records.values())
    for (const hash of needs) users.set(hash, (users.get(hash) ?? 0) + 1);
  let pending = `{"database":{"version":"${databaseVersion}","installs":{`;
  let separator = "";
  for (const [hash, { node, downloadable }] of records) {
    const text = typeof node === "string" ? node : await textAt(source, node);
    pending += `${separator}"${hash}":{"spec":${text},"ref_count":${users.get(hash) ?? 0},"in_buildcache":${downloadable}}`;
    separator = ",";
    if (pending.length < writtenAtOnce) continue;
    await output.writeFile(pending);
    pending = "";
  }
  await output.writeFile(`${pending}}}}`);
}

async function textAt(
  source: FileHandle | undefined,
  { offset, length }: { readonly offset: number; readonly length: number },
): Promise<string> {
  const bytes = Buffer.allocUnsafe(length);
  const read = (await source?.read(bytes, 0, length, offset))?.bytesRead;
  if (read !== length) throw new SpacktainersError("IO", "an index became shorter while it was read");
  return bytes.toString("utf8");
}
