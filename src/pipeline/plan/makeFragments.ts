import { type CompressionSettings, encodingOf } from "../../archive/layerCompression.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import {
  type FragmentKey,
  type FragmentStore,
  fragmentKey,
  type StoredFragment,
} from "../../image/fragmentStore.ts";
import type { InstallPool } from "../../install/installPool.ts";
import type { InstallOptions, InstallRequest } from "../../install/types.ts";
import { relocationOrder } from "../../spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { spliceAnalogs } from "../../spec/spliceAnalogs.ts";
import { type EmitEvent, reportReused } from "../../util/events.ts";

/** To be raised whenever the same archive and options give other bytes, or another inventory: finished fragments are then made again. */
export const installVersion = 4;

/** A package that is to be installed. */
export interface PlannedInstall {
  readonly spec: ConcreteSpec;
  readonly cached: CachedPackage;
  /** All but the archive itself. */
  readonly request: Omit<InstallRequest, "archivePath" | "archiveDigest">;
}

/** A package that is to become a fragment. */
export interface PlannedFragment extends PlannedInstall {
  /** Of the fragment: decides its bytes. */
  readonly key: FragmentKey;
  readonly compression: CompressionSettings;
}

/** What all packages of an environment have in common. */
export interface InstallPlan {
  readonly graph: SpecGraph;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  readonly root: string;
  readonly options: InstallOptions;
}

/** What is to be installed where. Pure. */
export function planInstalls(cached: readonly CachedPackage[], plan: InstallPlan): readonly PlannedInstall[] {
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
        externals: externalsOf(plan.graph, spec),
        generation: one.generation,
        ...(spec.buildSpec === undefined ? {} : { analogs: spliceAnalogs(plan.graph, spec) }),
        options: plan.options,
      },
    };
  });
}

/** Names of the externals that a package depends on directly, sorted. */
function externalsOf(graph: SpecGraph, spec: ConcreteSpec): readonly string[] {
  const names = spec.dependencies.filter((edge) => graph.get(edge.hash)?.external !== undefined);
  return [...new Set(names.map((edge) => edge.name))].sort();
}

/**
 * What is to become a fragment, with the keys: known before an archive is downloaded. Pure.
 *
 * @param compression of the fragments
 */
export function planFragments(
  cached: readonly CachedPackage[],
  plan: InstallPlan,
  compression: CompressionSettings,
): readonly PlannedFragment[] {
  return planInstalls(cached, plan).map((install) => ({
    ...install,
    compression,
    key: fragmentKey({
      installVersion,
      archive: install.cached.digest,
      request: keptRequest(install.request),
      compression: encodingOf(compression),
    }),
  }));
}

/** A request as keys have it, in which the generation has the number of the cache layout that came with it. */
function keptRequest({ generation, ...request }: PlannedInstall["request"]): object {
  return { ...request, layout: generation === "0.x" ? 2 : 3 };
}

/** What making fragments works with. */
export interface FragmentResources {
  readonly store: FragmentStore;
  readonly pool: InstallPool;
  /** Brings an archive to this machine, verified. */
  fetch(cached: CachedPackage): Promise<{ readonly path: string }>;
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
  resources: FragmentResources,
): Promise<readonly FinishedFragment[]> {
  const { store, pool, emit, signal } = resources;
  // The first failure stops the others; the store keeps what was finished.
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const make = async ({
    spec,
    cached,
    request,
    key,
    compression,
  }: PlannedFragment): Promise<FinishedFragment> => {
    const found = await store.find(key);
    if (found !== undefined) {
      await reportReused(emit, packageTask("install", spec));
      return { fragment: found, reused: true };
    }
    stop.throwIfAborted();
    pool.announce();
    const { path: archivePath } = await resources.fetch(cached);
    let made = false;
    const fragment = await store.make(key, async (path) => {
      made = true;
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
    // Another run was faster.
    if (!made) await reportReused(emit, packageTask("install", spec));
    return { fragment, reused: !made };
  };
  // Large archives first: none of them should begin when all others are done.
  const sizeOf = ({ cached }: PlannedFragment): number => cached.size ?? 0;
  const begun = new Map([...planned].sort((a, b) => sizeOf(b) - sizeOf(a)).map((one) => [one, make(one)]));
  const work = planned.flatMap((one) => begun.get(one) ?? []);
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
