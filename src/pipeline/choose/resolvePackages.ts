import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { chooseFromCaches } from "../../concretize/chooseFromCaches.ts";
import { chooseFromLock } from "../../concretize/chooseFromLock.ts";
import type { TargetPlatform } from "../../concretize/rules.ts";
import type { Resolution } from "../../concretize/types.ts";
import type { Architecture, Configuration } from "../../definitions/configuration.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type SpecGraph } from "../../spec/concrete.ts";
import { formatSpec } from "../../spec/format.ts";
import { isAtLeast } from "../../spec/microarchitecture.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { configuredVariantDefaults } from "./configuredVariantDefaults.ts";
import type { LoadedEnvironment } from "./loadEnvironment.ts";
import { lockText } from "./lockText.ts";
import { noSpecs } from "./noSpecs.ts";

/** Metadata requests at a time. */
const lookupsAtOnce = 16;

/** An environment's packages, chosen, found and verified. */
export interface ResolvedPackages {
  readonly resolution: Resolution;
  readonly roots: readonly DagHash[];
  /** What verified metadata says, else the lock or the caches' indexes. */
  readonly graph: SpecGraph;
  /** The packages of the link/run closure, dependents before dependencies. */
  readonly packages: readonly CachedPackage[];
  /** External packages of the closure: requirements on the base. */
  readonly externals: readonly ConcreteSpec[];
  /** The lock used, or one that says the same. */
  readonly lockText: string;
  /** Version of the first root. */
  readonly version: string;
  /** Whether the caches' indexes have a package of a name; undefined when no index was read. */
  readonly hasSpackPackage: ((name: string) => boolean) | undefined;
}

/** What decides a choice in addition to the environment and the caches. */
export interface ChoiceSettings {
  readonly architecture: Architecture;
  readonly configuration: Pick<Configuration, "platforms" | "spack">;
}

/**
 * Chooses an environment's packages from its lock, else from the caches, and fetches their verified metadata.
 *
 * @throws {SpacktainersError} `NO_SOLUTION`, `PACKAGE_NOT_CACHED`, trust errors; `IDENTITY_MISMATCH` when an index or a lock
 *   says something else of a package than its verified metadata
 */
export async function resolvePackages(
  loaded: LoadedEnvironment,
  { architecture, configuration }: ChoiceSettings,
  { caches, emit }: { readonly caches: CacheSet; readonly emit: EmitEvent },
): Promise<ResolvedPackages> {
  const { lock, environment } = loaded;
  const platform = configuration.platforms[architecture];
  emit({ type: "stage", stage: lock === undefined ? "choose-packages" : "read-lock" });
  const index = lock === undefined ? await caches.index() : undefined;
  const facts = lock === undefined ? await configuredVariantDefaults(configuration) : undefined;
  const resolution =
    lock === undefined
      ? chooseFromCaches(environment, index ?? (await caches.index()), platform, { facts })
      : chooseFromLock(lock);
  if (resolution.incomplete !== undefined)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `the search for the best choice was cut short: there may be a better one for ${resolution.incomplete.map((text) => `\`${text}\``).join(", ")}`,
      place: { file: environment.file },
      hint: "narrow the specs down (versions, variants), or write a spack.lock",
    });
  const roots = resolution.roots.map(({ hash }) => hash);
  const { packages, externals } = runtimeClosure(resolution.graph, roots);
  checkTargets(packages, platform, lock?.file);
  emit({ type: "stage", stage: "look-up-packages", total: packages.length, counts: "lookup" });
  const cached = await mapConcurrently(packages, lookupsAtOnce, (spec) =>
    runTask(emit, packageTask("lookup", spec), () => findPackage(spec, resolution.graph, caches)),
  );
  const first = firstRoot(loaded, resolution);
  if (first === undefined) throw noSpecs(environment.file);
  const graph = verifiedGraph(resolution.graph, roots, cached);
  return {
    resolution,
    roots,
    graph,
    packages: cached,
    externals,
    lockText: loaded.lockText ?? lockText(environment, resolution, graph),
    version: first.version,
    hasSpackPackage: index === undefined ? undefined : (name) => index.hashesOf(name).length > 0,
  };
}

/**
 * Everything that the roots reach, as verified metadata has it: that of a package tells of all that it was built with, too. Only
 * what no metadata tells of (what is in locks, and external) is as the lock or the indexes have it.
 */
function verifiedGraph(
  chosen: SpecGraph,
  roots: readonly DagHash[],
  packages: readonly CachedPackage[],
): SpecGraph {
  const verified = new Map<DagHash, ConcreteSpec>();
  for (const { graph } of packages) for (const [hash, spec] of graph) verified.set(hash, spec);
  // Each package's own metadata counts most.
  for (const { spec } of packages) verified.set(spec.hash, spec);
  const graph = new Map<DagHash, ConcreteSpec>();
  const queue = new Set(roots);
  for (const hash of queue) {
    const spec = verified.get(hash) ?? chosen.get(hash);
    if (spec === undefined) continue;
    graph.set(hash, spec);
    for (const edge of spec.dependencies) queue.add(edge.hash);
    if (spec.buildSpec !== undefined) queue.add(spec.buildSpec.hash);
  }
  return graph;
}

/**
 * Refuses packages for another processor than the platform's, or for a newer one: caches are searched for fitting ones
 * only, but a lock may hold anything.
 */
function checkTargets(
  packages: readonly ConcreteSpec[],
  platform: TargetPlatform,
  file: string | undefined,
): void {
  const unfit = packages.find(({ target }) => !isAtLeast(platform.target, target));
  if (unfit === undefined) return;
  throw new SpacktainersError(
    "NO_SOLUTION",
    `${briefSpec(unfit)} was built for ${unfit.target}, which a machine with ${platform.target} cannot run`,
    {
      place: { file, spec: briefSpec(unfit) },
      hint: "raise platforms: target in spacktainers.yaml if all machines are newer, or make the lock for this platform",
    },
  );
}

/**
 * The spec that gives the container its version: the first one of the manifest's list. Locks keep roots in an order of
 * their own, and in Spack's writing.
 */
function firstRoot({ environment }: LoadedEnvironment, resolution: Resolution): ConcreteSpec | undefined {
  const { dialect, specs } = environment;
  const [wanted] = specs;
  const roots = resolution.roots.flatMap(({ request, hash }) => {
    const spec = resolution.graph.get(hash);
    return spec === undefined ? [] : [{ request, spec }];
  });
  if (wanted === undefined) return roots[0]?.spec;
  const written = formatSpec(wanted.spec, dialect);
  const root =
    roots.find(({ request }) => request === wanted.text || request === written) ??
    roots.find(({ spec }) => concreteSatisfies(resolution.graph, spec.hash, wanted.spec, { dialect })) ??
    roots[0];
  return root?.spec;
}

/** A package's verified metadata; of a spliced package, whose binary is that of its build spec, that of the latter. */
async function findPackage(spec: ConcreteSpec, graph: SpecGraph, caches: CacheSet): Promise<CachedPackage> {
  const built = spec.buildSpec === undefined ? spec : graph.get(spec.buildSpec.hash);
  if (built === undefined)
    throw new SpacktainersError("LOCK_INVALID", `the build spec of ${briefSpec(spec)} is missing`, {
      place: { spec: briefSpec(spec) },
      hint: "the package is spliced: the lock must hold what it was built from",
    });
  const found = await caches.findPackage(
    built,
    (hash) => graph.get(hash),
    (copy) => checkIdentity(built, graph, copy),
  );
  return built === spec ? found : { ...found, spec };
}

/**
 * Indexes and locks are not signed: what was chosen by them must be what the signed metadata says, in what decides whether the
 * package fits and what the image has: its variants, its machine, its link/run dependencies and what of these is external.
 */
function checkIdentity(spec: ConcreteSpec, graph: SpecGraph, found: CachedPackage): void {
  const [chosen, verified] = [statements(spec, graph), statements(found.spec, found.graph)];
  const lie = Object.keys(chosen).find((what) => chosen[what] !== verified[what]);
  if (lie === undefined) return;
  throw new SpacktainersError(
    "IDENTITY_MISMATCH",
    `the ${lie} of ${briefSpec(spec)} are not those of its verified metadata`,
    {
      place: { spec: briefSpec(spec), url: found.cacheUrl },
      hint: "the cache's index or the lock was changed; update the index, or write the lock again",
    },
  );
}

/** What is said of a package, as texts that can be compared, by what they are about. */
function statements(spec: ConcreteSpec, graph: SpecGraph): Readonly<Record<string, string>> {
  const dependencies = spec.dependencies
    .filter(({ types }) => types.has("link") || types.has("run"))
    .map(({ name, hash, types }) => {
      const external = graph.get(hash)?.external === undefined ? "" : "x";
      return `${name}/${hash}${types.has("link") ? "l" : ""}${types.has("run") ? "r" : ""}${external}`;
    });
  return {
    dependencies: dependencies.sort().join(" "),
    variants: JSON.stringify([...spec.variants].sort(([a], [b]) => (a < b ? -1 : 1))),
    "target and system": [spec.platform, spec.os, spec.target].join("-"),
  };
}
