import type { BuildCache } from "../../buildcache/buildCache.ts";
import { newestFirst } from "../../concretize/newestFirst.ts";
import { compilerOf } from "../../spec/compilerOf.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { concreteVariants, dialectOf, formatFlags, formatVariants } from "../../spec/format.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { listedSpecs, namesWanted, type WantedSpecs, wantedSpecs } from "./listedSpecs.ts";
import {
  type CacheRequest,
  type IndexedCache,
  namedCaches,
  readIndexes,
  unjudged,
} from "./openNamedCaches.ts";

/** A package that caches have. */
export interface ListedPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** `name@version`; undefined if it cannot be determined. */
  readonly compiler: string | undefined;
  readonly platform: string;
  readonly os: string;
  readonly target: string;
  readonly namespace: string | undefined;
  /** Variants and flags, as Spack prints them. */
  readonly variants: string;
  /** Bytes of the archive; undefined if the cache was not asked or cannot tell. */
  readonly size: number | undefined;
  /** The caches that list it, in their order. */
  readonly caches: readonly string[];
}

/** A command line of `cache list`. */
export interface ListPackagesRequest extends CacheRequest {
  readonly specs: readonly string[];
  /** Ask for the size of every package; else it is asked for when few are listed. */
  readonly sizes: boolean;
}

/** What was listed, together. */
export interface ListTotals {
  readonly packages: number;
  /** Bytes of the archives; undefined if sizes were not requested, or if not all are known. */
  readonly bytes: number | undefined;
  /** Caches that were read. */
  readonly caches: readonly string[];
  /** Packages in them, including dependencies. */
  readonly of: number;
}

/** No index says how large an archive is. For so many packages it is asked without being told to. */
const sizesUnasked = 100;

/** Requests for sizes at a time. */
const lookupsAtOnce = 16;

/**
 * Lists what caches have that satisfies any of the specs: by name, the newest version first, then by hash. Signatures are not
 * asked for: indexes have none.
 *
 * @param onPackages gets the packages, some at a time: an index may list hundreds of thousands
 * @throws {SpacktainersError} `SPEC_SYNTAX`, `CONFIG_INVALID`; those of the caches when none can be read
 */
export async function listPackages(
  request: ListPackagesRequest,
  onPackages: (packages: readonly ListedPackage[]) => void,
): Promise<ListTotals> {
  const wanted = wantedSpecs(request.specs);
  const { sources, open } = await namedCaches(request);
  const set = open(unjudged(sources));
  try {
    const read = await readIndexes(set, request.emit);
    const names = new Set<string>();
    for (const { indexes } of read)
      for (const index of indexes) {
        const allowed = namesWanted(index, wanted);
        for (const name of index.names()) if (allowed?.has(name) ?? true) names.add(name);
      }
    let packages = 0;
    let bytes: number | undefined = 0;
    const report = async (found: readonly FoundPackage[], ask: boolean): Promise<void> => {
      const sized = ask ? await withSizes(found) : found.map(({ listed }) => listed);
      for (const { size } of sized)
        bytes = bytes === undefined || size === undefined ? undefined : bytes + size;
      onPackages(sized);
    };
    /** The first ones, until it is known whether they are few. */
    let held: FoundPackage[] | undefined = request.sizes ? undefined : [];
    for (const name of [...names].sort()) {
      stopIfAborted(request.signal);
      const found = packagesOf(name, read, wanted);
      packages += found.length;
      if (held !== undefined && packages <= sizesUnasked) {
        held.push(...found);
        continue;
      }
      if (held !== undefined) await report(held, false);
      held = undefined;
      await report(found, request.sizes);
    }
    if (held !== undefined) await report(held, true);
    return { packages, bytes, caches: read.map(({ cache }) => cache.url), of: countListed(read) };
  } finally {
    await set.close();
  }
}

/** A package, and how it can be asked for. */
interface FoundPackage {
  readonly listed: ListedPackage;
  readonly cache: BuildCache;
  readonly index: IndexedCache["indexes"][number];
}

function packagesOf(
  name: string,
  read: readonly IndexedCache[],
  wanted: WantedSpecs,
): readonly FoundPackage[] {
  const found = new Map<DagHash, FoundPackage>();
  for (const { cache, indexes } of read)
    for (const index of indexes)
      for (const spec of listedSpecs(index, name, wanted)) {
        const known = found.get(spec.hash);
        if (known === undefined)
          found.set(spec.hash, { listed: listed(spec, index, cache.url), cache, index });
        else if (!known.listed.caches.includes(cache.url))
          found.set(spec.hash, {
            ...known,
            listed: { ...known.listed, caches: [...known.listed.caches, cache.url] },
          });
      }
  const versions = [...found.values()].map(({ listed: { version } }) => version);
  const rank = new Map(newestFirst(versions, "1.x").map((version, at) => [version, at]));
  return [...found.values()].sort(
    ({ listed: a }, { listed: b }) =>
      (rank.get(a.version) ?? 0) - (rank.get(b.version) ?? 0) || (a.hash < b.hash ? -1 : 1),
  );
}

function listed(spec: ConcreteSpec, index: FoundPackage["index"], url: string): ListedPackage {
  const { name, version, hash, platform, os, target, namespace } = spec;
  const compiler = compilerOf(spec, { get: (of: DagHash) => index.spec(of) });
  return {
    name,
    version,
    hash,
    compiler: compiler === undefined ? undefined : `${compiler.name}@${compiler.version}`,
    platform,
    os,
    target,
    namespace,
    variants: variantText(spec),
    size: undefined,
    caches: [url],
  };
}

/** Variants and flags of a concrete spec, as Spack prints them. */
export function variantText(spec: ConcreteSpec): string {
  const dialect = dialectOf(spec.specfileVersion);
  const flags = [...spec.flags].map(
    ([kind, list]) => [kind, list.map((flag) => ({ flag, propagate: false }))] as const,
  );
  return `${formatVariants(concreteVariants(spec), dialect)}${formatFlags(flags, dialect)}`.trim();
}

/** Asks caches for sizes: what a cache cannot tell, or does not have after all, stays undefined. */
async function withSizes(found: readonly FoundPackage[]): Promise<readonly ListedPackage[]> {
  return mapConcurrently(found, lookupsAtOnce, async ({ listed: one, cache, index }) => {
    const spec = index.spec(one.hash);
    if (spec === undefined) return one;
    try {
      const pkg = await cache.findPackage(spec, (hash) => index.spec(hash));
      return { ...one, size: pkg === undefined ? undefined : await cache.archiveSize(pkg) };
    } catch (thrown) {
      // What is wrong with a package is for `cache verify` to say.
      if (thrown instanceof SpacktainersError && thrown.code !== "INTERRUPTED") return one;
      throw thrown;
    }
  });
}

function countListed(read: readonly IndexedCache[]): number {
  return read.reduce((sum, { indexes }) => sum + indexes.reduce((all, { size }) => all + size, 0), 0);
}
