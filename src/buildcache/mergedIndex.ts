/** Several indexes seen as one, in order: what an earlier one says counts first. */
import type { DagHash } from "../spec/concrete.ts";
import type { CacheIndex } from "./types.ts";

/** Merges indexes. The generation is that of the first that is not empty; of an empty list, an empty index. */
export function mergeIndexes(indexes: readonly CacheIndex[]): CacheIndex {
  const only = indexes[0];
  if (only !== undefined && indexes.length === 1) return only;
  let names: readonly string[] | undefined;
  let size: number | undefined;
  const merged = <T>(of: (index: CacheIndex) => readonly T[]): T[] => [...new Set(indexes.flatMap(of))];
  return {
    generation: indexes.find(({ generation }) => generation !== undefined)?.generation,
    get size() {
      size ??= countDistinct(indexes);
      return size;
    },
    has: (hash) => indexes.some((index) => index.has(hash)),
    hashesOf: (name) => merged((index) => index.hashesOf(name)).sort(),
    names() {
      names ??= merged((index) => index.names()).sort();
      return names;
    },
    providersOf: (virtual) => merged((index) => index.providersOf(virtual)).sort(),
    hashesWithPrefix: (prefix) => merged((index) => index.hashesWithPrefix(prefix)).sort(),
    spec(hash) {
      for (const index of indexes) {
        const spec = index.spec(hash);
        if (spec !== undefined) return spec;
      }
      return undefined;
    },
  };
}

function countDistinct(indexes: readonly CacheIndex[]): number {
  const seen = new Set<DagHash>();
  for (const index of indexes)
    for (const name of index.names())
      for (const hash of index.hashesOf(name)) if (index.has(hash)) seen.add(hash);
  return seen.size;
}
