/** What building would take: packages, time, memory, before anything is built. */
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { BuildTime, BuildTimes } from "../../spack/buildTimes.ts";
import { secondsOfInstallTimes } from "../../spack/buildTimes.ts";
import { estimateWork, type WorkEstimate } from "../../spack/workEstimate.ts";
import { briefSpec, type ConcreteSpec, type DagHash } from "../../spec/concrete.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { installTimesOf } from "./installTimes.ts";
import type { NeededPackages } from "./neededPackages.ts";

/** A package that would be built. */
export interface PlannedBuild {
  /** `name@version/hash`, shortened. */
  readonly package: string;
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** Only needed to build others. */
  readonly buildOnly: boolean;
  /** Seconds, where known from earlier builds; else undefined. */
  readonly seconds: number | undefined;
  /** Bytes at a time, where known. */
  readonly memory: number | undefined;
}

/** What building would take. */
export interface CompilePlan {
  readonly executor: string;
  /** In an order in which they can be built. */
  readonly packages: readonly PlannedBuild[];
  /** Packages at a time. */
  readonly atOnce: number;
  /** Packages of which the time is known. */
  readonly known: number;
  /** Estimated time in seconds; undefined if the time of hardly any package is known. */
  readonly seconds: number | undefined;
  /** The chain of packages that takes longest, by their `package`. */
  readonly criticalPath: readonly string[];
  /** Packages of caches that the builds need on this machine. */
  readonly fetched: number;
}

/** What is known of each package that has to be built, and the estimate made from it. */
export interface EstimatedWork {
  readonly times: ReadonlyMap<DagHash, BuildTime>;
  readonly estimate: WorkEstimate;
}

/** Looks up how long packages take: of earlier builds here, else of what Spack noted in a cache's archive of the same name. */
export async function estimateBuilds(
  needed: NeededPackages,
  atOnce: number,
  times: BuildTimes,
  caches: CacheSet | undefined,
): Promise<EstimatedWork> {
  const { nodes } = needed.graph;
  const known = new Map<DagHash, BuildTime>();
  await mapConcurrently(nodes, 8, async ({ spec }) => {
    const time =
      (await times.find(spec)) ?? (caches === undefined ? undefined : await timeInCaches(spec, caches));
    if (time !== undefined) known.set(spec.hash, time);
  });
  const work = nodes.map(({ spec, after }) => ({ hash: spec.hash, after }));
  return { times: known, estimate: estimateWork(work, (hash) => known.get(hash)?.seconds, atOnce) };
}

/** What Spack noted when it built another configuration of the package, as far as a cache shows it. */
async function timeInCaches(spec: ConcreteSpec, caches: CacheSet): Promise<BuildTime | undefined> {
  try {
    const index = await caches.index();
    const others = index.hashesOf(spec.name).flatMap((hash) => {
      const other = index.has(hash) ? index.spec(hash) : undefined;
      return other === undefined ? [] : [other];
    });
    const alike = others.find(({ version }) => version === spec.version) ?? others.at(-1);
    if (alike === undefined) return undefined;
    const cached = await caches.findPackage(alike, (hash) => index.spec(hash));
    const text = await installTimesOf(cached, caches);
    const seconds = text === undefined ? undefined : secondsOfInstallTimes(text);
    return seconds === undefined ? undefined : { seconds, memory: undefined };
  } catch {
    // It is an estimate: what cannot be read tells nothing.
    return undefined;
  }
}

/** The plan, for people and programs. */
export function compilePlan(
  needed: NeededPackages,
  { times, estimate }: EstimatedWork,
  executor: string,
  atOnce: number,
): CompilePlan {
  const { nodes, fetched } = needed.graph;
  const names = new Map(nodes.map(({ spec }) => [spec.hash, briefSpec(spec)]));
  return {
    executor,
    packages: nodes.map(({ spec, buildOnly }) => ({
      package: briefSpec(spec),
      name: spec.name,
      version: spec.version,
      hash: spec.hash,
      buildOnly,
      seconds: times.get(spec.hash)?.seconds,
      memory: times.get(spec.hash)?.memory,
    })),
    atOnce,
    known: estimate.known,
    seconds: estimate.known * 2 >= nodes.length && nodes.length > 0 ? estimate.seconds : undefined,
    criticalPath: estimate.known === 0 ? [] : estimate.criticalPath.map((hash) => names.get(hash) ?? hash),
    fetched: fetched.length,
  };
}
