import { type CompressionSettings, compressionFacts } from "../archive/layerCompression.ts";
import type { CachedPackage } from "../buildcache/types.ts";
import { type FragmentStore, fragmentKey, type StoredFragment } from "../image/fragmentStore.ts";
import type { InstallPool } from "../install/installPool.ts";
import type { InstallOptions, InstallRequest } from "../install/types.ts";
import { relocationOrder } from "../spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import { spliceAnalogs } from "../spec/spliceAnalogs.ts";
import type { EmitEvent } from "../util/events.ts";

/** To be raised whenever the same archive and options give other bytes: finished fragments are then made anew. */
export const installVersion = 3;

/** A package that is to become a fragment. */
export interface PlannedFragment {
  readonly spec: ConcreteSpec;
  readonly cached: CachedPackage;
  /** All but the archive itself. */
  readonly request: Omit<InstallRequest, "archivePath" | "archiveDigest">;
}

/** What all fragments of a build have in common. */
export interface FragmentPlan {
  readonly graph: SpecGraph;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  readonly root: string;
  readonly options: InstallOptions;
}

/** What is to be installed where. Pure. */
export function planFragments(
  cached: readonly CachedPackage[],
  plan: FragmentPlan,
): readonly PlannedFragment[] {
  return cached.map((one) => {
    const { spec } = one;
    const order = relocationOrder(plan.graph, spec.hash);
    const prefixes: Record<string, string> = {};
    for (const hash of order) {
      const prefix = plan.prefixes.get(hash);
      if (prefix !== undefined) prefixes[hash] = prefix;
    }
    return {
      spec,
      cached: one,
      request: {
        name: spec.name,
        version: spec.version,
        hash: spec.hash,
        root: plan.root,
        prefixes,
        relocationOrder: order,
        layout: one.layout,
        ...(spec.buildSpec === undefined ? {} : { analogs: spliceAnalogs(plan.graph, spec) }),
        options: plan.options,
      },
    };
  });
}

/** What making fragments works with. */
export interface FragmentWorkshop {
  readonly store: FragmentStore;
  readonly pool: InstallPool;
  /** Brings an archive to this machine, verified. */
  fetch(cached: CachedPackage): Promise<{ readonly path: string }>;
  readonly compression: CompressionSettings;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A fragment, and whether it was there already. */
export interface FinishedFragment {
  readonly fragment: StoredFragment;
  readonly reused: boolean;
}

/**
 * Makes the fragments that are not in the store: each archive is downloaded, verified, relocated, stripped and compressed
 * while others still download. Gives them in the order of the plan.
 *
 * @throws {SpacktainersError} of the caches and of installation; what was finished stays in the store
 */
export async function makeFragments(
  planned: readonly PlannedFragment[],
  workshop: FragmentWorkshop,
): Promise<readonly FinishedFragment[]> {
  const { store, pool, compression, emit, signal } = workshop;
  // The first failure stops the others; the store keeps what was finished.
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const work = planned.map(async ({ spec, cached, request }): Promise<FinishedFragment> => {
    const key = fragmentKey({
      installVersion,
      archive: cached.digest,
      request,
      compression: compressionFacts(compression),
    });
    const found = await store.find(key);
    if (found !== undefined) {
      const id = `install:${spec.hash}`;
      emit({ type: "task-start", id, kind: "install", label: `${spec.name}@${spec.version}` });
      emit({ type: "task-end", id, outcome: "reused" });
      return { fragment: found, reused: true };
    }
    stop.throwIfAborted();
    const { path: archivePath } = await workshop.fetch(cached);
    const fragment = await store.make(key, async (path) => {
      const {
        inventory,
        path: _,
        ...facts
      } = await pool.run(
        {
          request: { ...request, archivePath, archiveDigest: cached.digest },
          path,
          compression,
        },
        { signal: stop, emit },
      );
      return { facts, inventory };
    });
    return { fragment, reused: false };
  });
  const results = await Promise.allSettled(
    work.map((one) =>
      one.catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  if (failed.signal.aborted) throw failed.signal.reason;
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}
