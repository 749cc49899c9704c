/** An index in its local form, opened for look-ups. */
import { closeSync, fstatSync, openSync, readSync, rmSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import zlib from "node:zlib";
import { type ConcreteSpec, type DagHash, parseDagHash } from "../../spec/concrete.ts";
import { dialectOf } from "../../spec/format.ts";
import { readNode } from "../../spec/readSpecfile.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import type { CacheIndex } from "../types.ts";
import { scanIndex } from "./indexScanner.ts";
import { buildTable, type IndexTable, readTable } from "./indexTable.ts";

/** The index as the cache has it, and the table made of it. */
const dataFile = "index.json";
const tableFile = "table";

/** Path of the JSON below the folder of a local form. */
export function indexDataPath(folder: string): string {
  return join(folder, dataFile);
}

/**
 * Makes the table of an index whose JSON is in `folder`.
 *
 * @param place the index, for errors
 * @throws CACHE_INVALID when it is not an index; NOT_SUPPORTED when it is of a version we do not know
 */
export async function makeIndexTable(folder: string, place: Place): Promise<void> {
  const builder = buildTable(place);
  const file = await open(indexDataPath(folder), "r");
  try {
    const { size } = await file.stat();
    if (size > 0xffff_ffff)
      throw new SpacktainersError("NOT_SUPPORTED", "the cache's index is larger than 4 GiB", { place });
    const databaseVersion = await scanIndex(file, builder, place);
    specfileVersionOf(databaseVersion, place);
    await writeFileAtomically(join(folder, tableFile), builder.finish({ databaseVersion, dataSize: size }));
  } finally {
    await file.close();
  }
}

/** Spec file version of the nodes in a database of this version (formats reference, section 0). */
export function specfileVersionOf(databaseVersion: number, place: Place): number {
  const version = new Map([
    [6, 3],
    [7, 4],
    [8, 5],
    [9, 6],
  ]).get(databaseVersion);
  if (version !== undefined) return version;
  const newer = databaseVersion > 9;
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `the cache's index has format version ${databaseVersion}; versions 6 to 9 can be read`,
    {
      place,
      hint: newer
        ? "a newer Spack wrote it; a newer version of spacktainers may be able to read it"
        : "Spack 0.16 or older wrote it",
    },
  );
}

/** Specs parsed that are kept; more are parsed again when asked for. */
const maxParsed = 150_000;

/**
 * Opens the local form in `folder`; undefined when it is damaged or incomplete and has to be made again.
 *
 * @param place the index, for errors
 */
export async function openIndex(folder: string, place: Place): Promise<CacheIndex | undefined> {
  const bytes = await readFile(join(folder, tableFile)).catch(() => undefined);
  const table = bytes === undefined ? undefined : readTable(bytes);
  if (table === undefined) return undefined;
  const version = specfileVersionOf(table.databaseVersion, place);
  const descriptor = openWhole(indexDataPath(folder), table.dataSize);
  return descriptor === undefined ? undefined : indexOf({ table, version, descriptor, folder, place });
}

/** Opens the data; undefined when another process has removed it, or when it is not whole. */
function openWhole(path: string, size: number): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch {
    return undefined;
  }
  if (fstatSync(descriptor).size === size) return descriptor;
  closeSync(descriptor);
  return undefined;
}

interface OpenedIndex {
  readonly table: IndexTable;
  /** Spec file version of the nodes. */
  readonly version: number;
  /** Of the data. */
  readonly descriptor: number;
  readonly folder: string;
  readonly place: Place;
}

function indexOf({ table, version, descriptor, folder, place }: OpenedIndex): CacheIndex {
  const parsed = new Map<number, ConcreteSpec>();
  // Closed with the index: nobody else knows the descriptor.
  closeWhenCollected.register(parsed, descriptor);
  const hash = (spec: number): DagHash => {
    const text = parseDagHash(table.hashAt(spec));
    if (text === undefined)
      throw new SpacktainersError("INTERNAL", "an index has something that is not a hash");
    return text;
  };
  return {
    generation: table.downloadableCount === 0 ? undefined : dialectOf(version),
    size: table.downloadableCount,
    has(dagHash) {
      const spec = table.find(dagHash);
      return spec >= 0 && table.isDownloadable(spec);
    },
    hashesOf: (name) => table.specsOf(name).map(hash),
    names: () => table.names(),
    providersOf: (virtual) => table.providersOf(virtual),
    hashesWithPrefix: (prefix) => table.withPrefix(prefix).map(hash),
    spec(dagHash) {
      const number = table.find(dagHash);
      if (number < 0) return undefined;
      const known = parsed.get(number);
      if (known !== undefined) return known;
      const json = readSlice(descriptor, table, number, place);
      if (json === undefined) {
        rmSync(join(folder, tableFile), { force: true });
        const hint = "spacktainers removed it; the next run fetches it again";
        throw new SpacktainersError("CACHE_INVALID", "the local copy of the cache's index was damaged", {
          place,
          hint,
        });
      }
      const node = readNode(json, { specfileVersion: version, place, hashIfMissing: dagHash });
      if (node.hash !== dagHash)
        throw new SpacktainersError("CACHE_INVALID", `the cache's index lists ${node.hash} as ${dagHash}`, {
          place,
        });
      if (parsed.size >= maxParsed) parsed.clear();
      parsed.set(number, node);
      return node;
    },
  };
}

const closeWhenCollected = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/** The JSON of one node; undefined when the file no longer has what it had when the table was made. */
function readSlice(descriptor: number, table: IndexTable, spec: number, place: Place): unknown {
  const { offset, length, crc } = table.slice(spec);
  const bytes = Buffer.allocUnsafe(length);
  if (readSync(descriptor, bytes, 0, length, offset) !== length || zlib.crc32(bytes) !== crc)
    return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the cache's index has a package that cannot be read", {
      place,
      cause,
    });
  }
}
