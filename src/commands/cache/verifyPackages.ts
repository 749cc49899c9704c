import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { BuildCache } from "../../buildcache/buildCache.ts";
import { openCacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage, CacheIndex } from "../../buildcache/types.ts";
import { trustOf } from "../../pipeline/workspace/workspace.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { briefSpec, type ConcreteSpec, type DagHash } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { sweepTemporaries, temporaryPath } from "../../util/atomicFile.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { checkCopy } from "./checkCopy.ts";
import { listedSpecs, namesWanted, type WantedSpecs, wantedSpecs } from "./listedSpecs.ts";
import { type CacheRequest, type IndexedCache, namedCaches, readIndexes } from "./openNamedCaches.ts";
import { openProgressRecord, type ProgressRecord } from "./progressRecord.ts";

/** A command line of `cache verify`. */
export interface VerifyRequest extends CacheRequest {
  readonly specs: readonly string[];
  /** False: signatures and spec files alone; nothing is downloaded. */
  readonly archives: boolean;
  /** Packages at a time. */
  readonly jobs: number | undefined;
}

/** What came of verifying. */
export interface VerifiedCaches {
  readonly caches: readonly {
    readonly cache: string;
    /** Packages that were verified. */
    readonly packages: number;
    /** Number of these that an interrupted run had already verified. */
    readonly earlier: number;
    /** Bytes of archives that were verified. */
    readonly bytes: number;
  }[];
  /** Everything that is wrong, a package at a time. */
  readonly findings: readonly SpacktainersError[];
}

/**
 * Verifies packages in caches as if nothing were known of them: signature and spec file; length, SHA-256 and safety of the archive;
 * that the archive is the package's own; and that everything a package needs at run time is in one of the caches, too.
 *
 * Each cache's copy is verified by itself. Interrupted work continues where it stopped, unless asked to `refresh`.
 *
 * @throws {SpacktainersError} `SPEC_SYNTAX`, `CONFIG_INVALID`; those of the caches when none can be read. What is wrong with packages
 *   is returned
 */
export async function verifyPackages(request: VerifyRequest): Promise<VerifiedCaches> {
  const { emit, signal } = request;
  const wanted = wantedSpecs(request.specs);
  const { sources, open } = await namedCaches(request);
  const known = open();
  const folder = join(cacheHome(), "verify");
  await makeDirectory(folder);
  await sweepTemporaries(folder);
  const scratch = temporaryPath(folder);
  await mkdir(scratch);
  // Nothing that earlier runs remember is in there.
  const fresh = openCacheSet(sources, { emit, signal, cacheDir: scratch });
  try {
    const read = await readIndexes(known, emit);
    const everything = read.flatMap(({ indexes }) => indexes);
    const work = read.map((each) => ({ ...each, packages: wantedOf(each, wanted) }));
    const total = work.reduce((sum, { packages }) => sum + packages.length, 0);
    if (total === 0 && request.specs.length > 0)
      throw new SpacktainersError(
        "PACKAGE_NOT_CACHED",
        `no cache lists a package that satisfies \`${request.specs.join(" ")}\``,
        { hint: "to list the packages: spacktainers cache list" },
      );
    emit({ type: "stage", stage: "verify-packages", total, counts: "check" });
    const needs = closureNeeds(everything);
    const findings: SpacktainersError[] = [];
    const caches: VerifiedCaches["caches"][number][] = [];
    for (const { cache, packages } of work) {
      const judge = fresh.caches.find(({ id }) => id === cache.id);
      if (judge === undefined) continue;
      const name = `${cache.id}\n${trustOf(sources)}\n${request.archives}`;
      const record = await openProgressRecord(folder, name, request.refresh);
      const verified = await verifyCache(judge, packages, { ...request, record, scratch, needs });
      await record.clear();
      findings.push(...verified.findings);
      const { earlier, bytes } = verified;
      caches.push({ cache: cache.url, packages: packages.length, earlier, bytes });
    }
    return { caches, findings: [...findings, ...needs.missing()] };
  } finally {
    await Promise.all([known.close(), fresh.close()]);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A package that is to be verified, and the index that lists it. */
interface ListedHash {
  readonly hash: DagHash;
  readonly index: CacheIndex;
}

function wantedOf({ indexes }: IndexedCache, wanted: WantedSpecs): readonly ListedHash[] {
  const found = new Map<DagHash, ListedHash>();
  for (const index of indexes) {
    const allowed = namesWanted(index, wanted);
    for (const name of index.names()) {
      if (allowed?.has(name) === false) continue;
      for (const { hash } of listedSpecs(index, name, wanted))
        if (!found.has(hash)) found.set(hash, { hash, index });
    }
  }
  return [...found.values()];
}

interface CacheWork extends VerifyRequest {
  readonly record: ProgressRecord;
  readonly scratch: string;
  readonly needs: ClosureNeeds;
}

async function verifyCache(
  cache: BuildCache,
  packages: readonly ListedHash[],
  { record, scratch, needs, archives, emit, signal, jobs }: CacheWork,
): Promise<{
  readonly findings: readonly SpacktainersError[];
  readonly earlier: number;
  readonly bytes: number;
}> {
  let earlier = 0;
  let bytes = 0;
  const atOnce = jobs ?? Math.min(8, 2 * availableParallelism());
  const results = await mapConcurrently(packages, atOnce, async ({ hash, index }) => {
    const spec = index.spec(hash);
    if (spec === undefined) return undefined;
    const lookup = (of: DagHash) => index.spec(of);
    const task = { ...packageTask("check", spec), subject: `${cache.id} ${hash}`, signal };
    if (record.done.has(hash)) {
      earlier++;
      needs.of(spec, lookup);
      await runTask(emit, task, async ({ reused }) => reused());
      return undefined;
    }
    try {
      const checked = await runTask(emit, task, ({ progress }) =>
        checkCopy(cache, spec, lookup, { archives, signal, scratch, onBytes: progress }),
      );
      bytes += checked.bytes ?? 0;
      needs.ofPackage(checked.pkg);
      await record.add(hash);
      return undefined;
    } catch (thrown) {
      const failure = asSpacktainersError(thrown);
      if (signal.aborted || ["INTERRUPTED", "DISK_FULL", "INTERNAL"].includes(failure.code)) throw failure;
      needs.of(spec, lookup);
      return named(failure, spec, cache);
    }
  });
  return { findings: results.filter((each) => each !== undefined), earlier, bytes };
}

/** A failure that says which package and which cache it is about. */
function named(failure: SpacktainersError, spec: ConcreteSpec, cache: BuildCache): SpacktainersError {
  const name = briefSpec(spec);
  const { code, message, place, hint, cause } = failure;
  return new SpacktainersError(code, message.startsWith(name) ? message : `${name}: ${message}`, {
    place: place.file === undefined && place.url === undefined ? { url: cache.url } : place,
    hint,
    cause,
  });
}

/** Collects what packages need at run time, and tells what of that no cache lists. */
interface ClosureNeeds {
  /** By metadata that was verified. */
  ofPackage(pkg: CachedPackage): void;
  /** By an index, for a package whose metadata is of no use. */
  of(spec: ConcreteSpec, lookup: (hash: DagHash) => ConcreteSpec | undefined): void;
  missing(): readonly SpacktainersError[];
}

function closureNeeds(indexes: readonly CacheIndex[]): ClosureNeeds {
  const needed = new Map<DagHash, { readonly name: string; readonly by: Set<string> }>();
  const isThere = (hash: DagHash): boolean => indexes.some((index) => index.has(hash));
  const need = (hash: DagHash, name: string, by: string): void => {
    if (isThere(hash)) return;
    const known = needed.get(hash);
    if (known === undefined) needed.set(hash, { name, by: new Set([by]) });
    else known.by.add(by);
  };
  /** Of a spliced package the archive that it is made of is needed: Spack takes no other. */
  const needNode = (node: ConcreteSpec, by: ConcreteSpec): void => {
    const made = node.buildSpec;
    if (made !== undefined) need(made.hash, `${made.name}/${made.hash.slice(0, 7)}`, briefSpec(by));
    else if (node.hash !== by.hash) need(node.hash, briefSpec(node), briefSpec(by));
  };
  return {
    ofPackage({ spec, graph }) {
      for (const node of runtimeClosure(graph, [spec.hash]).packages) needNode(node, spec);
    },
    of(spec, lookup) {
      const seen = new Map([[spec.hash, spec]]);
      for (const node of seen.values()) {
        needNode(node, spec);
        for (const edge of node.dependencies) {
          if (!edge.types.has("link") && !edge.types.has("run")) continue;
          const dependency = lookup(edge.hash);
          if (dependency === undefined)
            need(edge.hash, `${edge.name}/${edge.hash.slice(0, 7)}`, briefSpec(spec));
          else if (dependency.external === undefined) seen.set(edge.hash, dependency);
        }
      }
    },
    missing: () =>
      [...needed.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, by }) => {
          const [first = ""] = [...by].sort();
          const others = by.size > 1 ? ` and ${by.size - 1} other${by.size > 2 ? "s" : ""}` : "";
          return new SpacktainersError(
            "PACKAGE_NOT_CACHED",
            `${name} is needed at run time by ${first}${others}, and is in no cache`,
            { place: { spec: name }, hint: "push it, or also name the cache that has it" },
          );
        }),
  };
}
