/**
 * The compact local form of an index: one small binary file beside the index's own JSON. It holds, sorted by hash, where
 * each node lies in the JSON, and lists by name. It is read whole (40 bytes a spec) and searched in memory.
 *
 * Layout, numbers little-endian: 8 bytes magic; 4 bytes length of the header; 4 bytes number of specs; 32 bytes SHA-256 of
 * all that follows; header (JSON, padded with blanks to a multiple of 8); per spec five words of the hash, then one word each of
 * offset, length, CRC-32 and package number; then spec numbers ordered by package and hash; then one byte of flags each.
 */
import { createHash } from "node:crypto";
import zlib from "node:zlib";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { compareHashes, hashWords, packHash, unpackHash } from "./hashKey.ts";
import type { IndexSink } from "./indexScanner.ts";

const magic = "SPKIDX01";
const headBytes = 48;
const downloadableFlag = 1;

/** The document that a table was made from; goes into the table's header. */
export interface TableSource {
  readonly databaseVersion: number;
  /** Bytes of the JSON file. */
  readonly dataSize: number;
}

interface TableHeader extends TableSource {
  readonly names: readonly string[];
  /** Pairs of a virtual package and the numbers of the packages that provide it. */
  readonly providers: readonly (readonly [string, readonly number[]])[];
}

/** Names of packages and virtual packages that are kept; Spack knows some ten thousand. */
const maxNames = 500_000;

/** Collects what the scanner finds. */
export interface TableBuilder extends IndexSink {
  /** The finished table. */
  finish(facts: TableSource): Uint8Array;
}

/**
 * Begins a table. Records whose key is no DAG hash are left out; of two with the same hash the later one counts.
 *
 * @param place the index, for errors
 * @returns a builder that throws CACHE_INVALID when it is given an absurd number of names
 */
export function buildTable(place: Place = {}): TableBuilder {
  let count = 0;
  let words = new Uint32Array(hashWords * 4096);
  let facts = new Uint32Array(4 * 4096);
  let flags = new Uint8Array(4096);
  const numbers = new Map<string, number>();
  const providers = new Map<string, Set<string>>();
  const grow = (): void => {
    const size = flags.length * 2;
    words = enlarged(words, new Uint32Array(hashWords * size));
    facts = enlarged(facts, new Uint32Array(4 * size));
    flags = enlarged(flags, new Uint8Array(size));
  };
  const numberOf = (name: string): number => {
    let number = numbers.get(name);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(name, number);
      expectFewer(number, place);
    }
    return number;
  };
  let provisions = 0;
  return {
    record(hash, { offset, bytes, name }, downloadable) {
      if (count === flags.length) grow();
      if (!packHash(hash, words, count * hashWords)) return;
      facts[count * 4] = offset;
      facts[count * 4 + 1] = bytes.length;
      facts[count * 4 + 2] = zlib.crc32(bytes);
      facts[count * 4 + 3] = numberOf(name);
      flags[count] = downloadable ? downloadableFlag : 0;
      count++;
    },
    provides(virtual, name) {
      let names = providers.get(virtual);
      if (names === undefined) {
        names = new Set();
        providers.set(virtual, names);
      }
      if (names.has(name)) return;
      names.add(name);
      expectFewer(++provisions, place);
    },
    finish(tableFacts) {
      const order = sortedWithoutDuplicates(words, count);
      const pairs = [...providers]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([virtual, names]) => [virtual, [...names].sort().map(numberOf)] as const);
      const header: TableHeader = { ...tableFacts, names: [...numbers.keys()], providers: pairs };
      return serialise(header, { order, words, facts, flags });
    },
  };
}

function expectFewer(names: number, place: Place): void {
  if (names < maxNames) return;
  throw new SpacktainersError("CACHE_INVALID", `the cache's index has more than ${maxNames} names`, {
    place,
  });
}

function sortedWithoutDuplicates(words: Uint32Array, count: number): Uint32Array {
  const order = new Uint32Array(count).map((_, index) => index);
  order.sort((a, b) => compareHashes(words, a * hashWords, words, b * hashWords) || a - b);
  return order.filter((spec, at) => {
    const next = order[at + 1];
    return next === undefined || compareHashes(words, spec * hashWords, words, next * hashWords) !== 0;
  });
}

/** The columns of a table. */
interface TableColumns {
  readonly order: Uint32Array;
  readonly words: Uint32Array;
  readonly facts: Uint32Array;
  readonly flags: Uint8Array;
}

function serialise(header: TableHeader, { order, words, facts, flags }: TableColumns): Uint8Array {
  const json = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(json);
  const padded = Math.ceil(headerBytes / 8) * 8;
  const count = order.length;
  const table = Buffer.alloc(headBytes + padded + count * (hashWords + 5) * 4 + count);
  table.write(magic, 0, "latin1");
  table.writeUInt32LE(padded, 8);
  table.writeUInt32LE(count, 12);
  table.fill(0x20, headBytes, headBytes + padded);
  table.write(json, headBytes, "utf8");
  let at = headBytes + padded;
  const put = (value: number): void => {
    at = table.writeUInt32LE(value, at);
  };
  for (const spec of order)
    for (let word = 0; word < hashWords; word++) put(words[spec * hashWords + word] as number);
  for (let column = 0; column < 4; column++)
    for (const spec of order) put(facts[spec * 4 + column] as number);
  const byName = new Uint32Array(count).map((_, index) => index);
  const nameOf = (index: number): number => facts[(order[index] as number) * 4 + 3] as number;
  byName.sort((a, b) => nameOf(a) - nameOf(b) || a - b);
  for (const index of byName) put(index);
  for (const spec of order) table[at++] = flags[spec] as number;
  createHash("sha256").update(table.subarray(headBytes)).digest().copy(table, 16);
  return table;
}

/** A table in memory. Specs are numbered in the order of their hashes. */
export interface IndexTable extends TableSource {
  /** Number of specs, downloadable or not. */
  readonly count: number;
  readonly downloadableCount: number;
  /** Number of the spec with this hash, or -1. */
  find(hash: string): number;
  hashAt(spec: number): string;
  isDownloadable(spec: number): boolean;
  /** Where the spec's node lies in the JSON file. */
  slice(spec: number): { readonly offset: number; readonly length: number; readonly crc: number };
  /** Specs of a package, by hash. */
  specsOf(name: string): readonly number[];
  /** Names of packages with a downloadable spec, sorted. */
  names(): readonly string[];
  providersOf(virtual: string): readonly string[];
  /** Specs whose hash starts with `prefix`, by hash. */
  withPrefix(prefix: string): readonly number[];
}

/** Reads a table; undefined when it is not whole or of another format, so that it has to be made again. */
export function readTable(file: Uint8Array): IndexTable | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < headBytes || bytes.toString("latin1", 0, 8) !== magic) return undefined;
  const padded = bytes.readUInt32LE(8);
  const count = bytes.readUInt32LE(12);
  if (bytes.length !== headBytes + padded + count * (hashWords + 5) * 4 + count) return undefined;
  const sum = createHash("sha256").update(bytes.subarray(headBytes)).digest();
  if (!sum.equals(bytes.subarray(16, 48))) return undefined;
  const header = JSON.parse(bytes.toString("utf8", headBytes, headBytes + padded)) as TableHeader;
  const columnsAt = headBytes + padded;
  // Views need alignment; a buffer from the file system usually has it.
  const aligned =
    (bytes.byteOffset + columnsAt) % 4 === 0 ? bytes : Buffer.from(Uint8Array.from(bytes).buffer);
  const column = (start: number, length: number): Uint32Array =>
    new Uint32Array(aligned.buffer, aligned.byteOffset + columnsAt + start * count * 4, length * count);
  const words = column(0, hashWords);
  const [offsets, lengths, sums, packages, byName] = [5, 6, 7, 8, 9].map((start) => column(start, 1)) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const flags = aligned.subarray(columnsAt + (hashWords + 5) * 4 * count);
  const numbers = new Map(header.names.map((name, number) => [name, number]));
  const providers = new Map(header.providers);
  const isDownloadable = (spec: number): boolean => (flags[spec] ?? 0) === downloadableFlag;
  const packageAt = (rank: number): number => packages[byName[rank] as number] as number;
  const key = new Uint32Array(hashWords);
  let downloadableNames: string[] | undefined;
  return {
    databaseVersion: header.databaseVersion,
    dataSize: header.dataSize,
    count,
    downloadableCount: flags.reduce((sum_, flag) => sum_ + (flag & downloadableFlag), 0),
    find(hash) {
      if (!packHash(Buffer.from(hash, "latin1"), key, 0)) return -1;
      const at = lowerBound(count, (spec) => compareHashes(words, spec * hashWords, key, 0) < 0);
      return at < count && compareHashes(words, at * hashWords, key, 0) === 0 ? at : -1;
    },
    hashAt: (spec) => unpackHash(words, spec * hashWords),
    isDownloadable,
    slice: (spec) => ({
      offset: offsets[spec] as number,
      length: lengths[spec] as number,
      crc: sums[spec] as number,
    }),
    specsOf(name) {
      const number = numbers.get(name);
      if (number === undefined) return [];
      const from = lowerBound(count, (rank) => packageAt(rank) < number);
      const to = lowerBound(count, (rank) => packageAt(rank) <= number);
      return [...byName.subarray(from, to)];
    },
    names() {
      if (downloadableNames === undefined) {
        const seen = new Uint8Array(header.names.length);
        for (let spec = 0; spec < count; spec++) if (isDownloadable(spec)) seen[packages[spec] as number] = 1;
        downloadableNames = header.names.filter((_, number) => seen[number] === 1).sort();
      }
      return downloadableNames;
    },
    providersOf: (virtual) => (providers.get(virtual) ?? []).map((number) => header.names[number] as string),
    withPrefix(prefix) {
      if (prefix === "" || prefix.length > 32) return [];
      const from = lowerBound(count, (spec) => unpackHash(words, spec * hashWords) < prefix);
      const found: number[] = [];
      for (let spec = from; spec < count; spec++) {
        if (!unpackHash(words, spec * hashWords).startsWith(prefix)) break;
        found.push(spec);
      }
      return found;
    },
  };
}

/** The first of 0…count for which `before` does not hold; `before` holds for a beginning and then no more. */
function lowerBound(count: number, before: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function enlarged<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
