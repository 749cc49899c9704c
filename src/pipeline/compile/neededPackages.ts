/** Which of the packages that a locked environment needs caches have: asked for as far as the answers make it necessary. */
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { type BuildGraph, buildGraph, neededHashes } from "../../spack/buildGraph.ts";
import type { DagHash, SpecGraph } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** Metadata requests at a time. */
const lookupsAtOnce = 16;

/** What is needed, and where it comes from. */
export interface NeededPackages {
  /** What has to be built. */
  readonly graph: BuildGraph;
  /** Verified metadata of every package that was asked for and is in a cache. */
  readonly cached: ReadonlyMap<DagHash, CachedPackage>;
  /** What of it has to be built again, although caches have it. */
  readonly outdated: ReadonlySet<DagHash>;
}

/**
 * Finds out what of a lock has to be built.
 *
 * @param lock its graph with build dependencies, and its roots
 * @param outdated packages that are not to be taken from caches: see `findOutdated`
 * @throws SpacktainersError trust errors of a package that a cache has; CACHE_UNAVAILABLE when one could not be asked; LOCK_INVALID
 */
export async function findNeededPackages(
  lock: { readonly graph: SpecGraph; readonly roots: readonly DagHash[] },
  { caches, emit }: { readonly caches: Pick<CacheSet, "findPackage">; readonly emit: EmitEvent },
  outdated: ReadonlySet<DagHash> = new Set(),
): Promise<NeededPackages> {
  const { graph, roots } = lock;
  const asked = new Map<DagHash, CachedPackage | undefined>();
  for (;;) {
    // What is not known yet counts as there: then nothing that it was built with is asked for in vain.
    const known = (hash: DagHash): boolean => !asked.has(hash) || asked.get(hash) !== undefined;
    const specs = neededHashes(graph, roots, known).flatMap((hash) => graph.get(hash) ?? []);
    const open = specs.filter(({ hash, external }) => external === undefined && !asked.has(hash));
    if (open.length === 0) break;
    emit({ type: "stage", stage: "look-up-packages", total: open.length, counts: "lookup" });
    const found = await mapConcurrently(open, lookupsAtOnce, (spec) =>
      runTask(emit, packageTask("lookup", spec), async () => {
        // The binary of a spliced package is that of its build spec.
        const binary = graph.get(spec.buildSpec?.hash ?? spec.hash) ?? spec;
        if (outdated.has(binary.hash)) return undefined;
        return caches
          .findPackage(binary, (hash) => graph.get(hash))
          .catch((error: unknown) => {
            if (error instanceof SpacktainersError && error.code === "PACKAGE_NOT_CACHED") return undefined;
            throw error;
          });
      }),
    );
    for (const [index, spec] of open.entries()) asked.set(spec.hash, found[index]);
  }
  const cached = new Map(
    [...asked].flatMap(([hash, one]) => (one === undefined ? [] : [[hash, one] as const])),
  );
  return { graph: buildGraph(graph, roots, (hash) => cached.has(hash)), cached, outdated };
}
