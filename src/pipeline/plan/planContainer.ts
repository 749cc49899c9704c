/**
 * The first half of a build: everything that is decided before an archive is downloaded. `build` goes on to carry it out,
 * `plan` shows it.
 */
import { imageMtime } from "../../archive/entry.ts";
import type { Annotations } from "../../archive/oci/types.ts";
import { planBase } from "../../base/buildBase.ts";
import type { BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { createdTime } from "../../image/created.ts";
import { fragmentKey } from "../../image/fragmentStore.ts";
import { packageLayerBudget } from "../../image/planLayers.ts";
import type { DagHash } from "../../spec/concrete.ts";
import type { SourceFacts } from "../../supply/imageFacts.ts";
import type { Digest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { baseDigest } from "../base/baseDigest.ts";
import { baseName, baseSpec } from "../base/baseSpec.ts";
import { snapshotTime } from "../base/snapshotTime.ts";
import { environmentReading } from "../choose/environmentOptions.ts";
import { type LoadedEnvironment, loadEnvironment } from "../choose/loadEnvironment.ts";
import { recipeFacts } from "../choose/recipeFacts.ts";
import { type ResolvedPackages, resolvePackages } from "../choose/resolvePackages.ts";
import type { BuildRequest } from "../workspace/buildRequest.ts";
import type { OutputNames } from "../workspace/outputs.ts";
import type { Workshop } from "../workspace/workshop.ts";
import { assemblyVersion } from "./assemblyVersion.ts";
import { decidingFiles } from "./decidingFiles.ts";
import { imageLabels } from "./imageLabels.ts";
import { layerSettings } from "./layerSettings.ts";
import { type PlannedFragment, planFragments } from "./makeFragments.ts";
import { type PackageLayer, planPackageLayers } from "./packageLayers.ts";
import { packagePrefixes } from "./packagePrefixes.ts";
import { checkPrefixesFit } from "./preflight.ts";
import { sourceFacts } from "./sourceFacts.ts";
import { type LockUse, openLocks } from "./useLocks.ts";

/** A container's definition and locks, read. */
export interface OpenedContainer {
  readonly container: Container;
  readonly configuration: Configuration;
  readonly loaded: LoadedEnvironment;
  readonly locks: LockUse;
}

/** What a build of a container consists of. */
export interface ContainerPlan extends OpenedContainer {
  /** As configured or locked, without what packages may need besides. */
  readonly base: PlannedBase;
  readonly baseOptions: BuildBaseOptions;
  readonly resolved: ResolvedPackages;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** In the order of `resolved.packages`: dependents before dependencies. */
  readonly fragments: readonly PlannedFragment[];
  /** The layers of the packages, lowest first. */
  readonly layers: readonly PackageLayer[];
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Time of the image, seconds since 1970. */
  readonly created: number;
  /** Where the definition is kept. */
  readonly source: SourceFacts | undefined;
  /** Of the base's manifest, when it is an image. */
  readonly baseDigest: Digest | undefined;
}

/** What planning asks, and whom it tells. */
export type PlanningTools = Pick<Workshop, "caches" | "registries" | "baseCacheDir" | "emit" | "signal">;

/** What of a command line decides a plan. */
export type PlanningRequest = Pick<
  BuildRequest,
  "frozen" | "strip" | "keepMetadata" | "allowUnresolved" | "refresh"
>;

/** Layers above those of the packages: the view and what goes with it. */
const layersOnTop = 1;

/** Questions for the size of an archive at a time. */
const sizesAtOnce = 16;

/**
 * Reads a container's definition and its locks.
 *
 * @throws {SpacktainersError} of reading; `NOT_SUPPORTED` for what cannot be built yet; with `frozen`, `LOCK_STALE`
 */
export async function openContainerForBuild(
  container: Container,
  configuration: Configuration,
  { frozen }: Pick<PlanningRequest, "frozen">,
  { caches, emit }: Pick<PlanningTools, "caches" | "emit">,
): Promise<OpenedContainer> {
  refuseWhatIsNotBuiltYet(container);
  const options = { ...(await environmentReading(container, configuration, caches)), frozen };
  const loaded = await loadEnvironment(container, options, emit);
  const locks = await openLocks(container, loaded, configuration, { frozen, emit });
  return { container, configuration, loaded, locks };
}

/**
 * Chooses the packages of a container, decides what its base and its layers are. Metadata is asked for, archives are not.
 *
 * @throws {SpacktainersError} of resolving and of planning a base; `PREFIX_TOO_LONG`; `BASE_INVALID` when the base leaves no
 *   room for layers
 */
export async function planContainer(
  opened: OpenedContainer,
  request: PlanningRequest,
  tools: PlanningTools,
): Promise<ContainerPlan> {
  const { container, configuration, locks } = opened;
  const stop = new AbortController();
  const baseOptions: BuildBaseOptions = {
    architecture: container.arch,
    cacheDir: tools.baseCacheDir,
    emit: tools.emit,
    signal: tools.signal,
    refresh: request.refresh,
    repository: (name) => tools.registries.repository(name),
    ...(locks.base === undefined ? {} : { lock: locks.base }),
  };
  // The base does not depend on the packages: its archive is asked while the caches are.
  const base = planBase(baseSpec(configuration.base), {
    ...baseOptions,
    signal: AbortSignal.any([tools.signal, stop.signal]),
  });
  // Until it is awaited below, a failure of it must not count as unhandled.
  base.catch(() => {});
  try {
    return await planOnBase(base, baseOptions, opened, request, tools);
  } catch (error) {
    stop.abort(error);
    await base.catch(() => {});
    throw error;
  }
}

async function planOnBase(
  base: Promise<PlannedBase>,
  baseOptions: BuildBaseOptions,
  opened: OpenedContainer,
  request: PlanningRequest,
  { caches, emit }: PlanningTools,
): Promise<ContainerPlan> {
  const { container, configuration, loaded, locks } = opened;
  // Git is asked meanwhile, too.
  const source = sourceFacts(configuration.root, container.path, decidingFiles(container, configuration));
  const platform = configuration.platforms[container.arch];
  const resolved = await resolvePackages(loaded, caches, platform, emit, () => recipeFacts(configuration));
  locks.checkPackages(resolved.packages);
  const { root, projections: configured } = configuration.install;
  const prefixes = packagePrefixes(
    resolved.packages.map(({ spec }) => spec),
    resolved.graph,
    { root, configured, environment: loaded.environment },
  );
  await checkPrefixesFit(resolved.packages, prefixes, root, caches);
  const fragments = planFragments(
    resolved.packages,
    {
      graph: resolved.graph,
      prefixes,
      root,
      options: { strip: request.strip ?? configuration.strip, sbang: "undo", metadata: request.keepMetadata },
    },
    layerSettings(configuration),
  );
  const underneath = await base;
  const budget = packageLayerBudget(configuration.layers.budget, underneath.layerCount + layersOnTop);
  // Sizes matter only where layers are shared; a cache in layout v2 must be asked for each.
  const sizes =
    fragments.length > budget.alone + budget.shared
      ? await archiveSizes(resolved.packages, caches)
      : new Map<DagHash, number>();
  // Dependencies first: what is needed by most lies lowest.
  const layers = planPackageLayers(fragments.toReversed(), ({ spec }) => sizes.get(spec.hash), budget);
  return {
    ...opened,
    base: underneath,
    baseOptions,
    resolved,
    prefixes,
    fragments,
    layers,
    allow: [...configuration.linkage.allowUnresolved, ...request.allowUnresolved],
    created: createdTime([imageMtime, ...snapshotTime(configuration.base)]),
    source: await source,
    baseDigest: underneath.image?.digest ?? (await baseDigest(configuration.base, container.arch)),
  };
}

/**
 * Digest of everything that decides the image: with the same inputs, it is the same image.
 *
 * @param base that it stands on in the end
 */
export function imageInputs(plan: ContainerPlan, base: Pick<PlannedBase, "key" | "packages">): string {
  const { container, configuration, loaded, resolved } = plan;
  return inputsDigest({
    names: { name: container.name, arch: container.arch, version: resolved.version },
    base: base.key,
    fragments: plan.fragments.map(({ key }) => key),
    layers: plan.layers.map(({ key }) => key),
    manifest: loaded.manifestText,
    lock: resolved.lockText,
    root: configuration.install.root,
    view: configuration.view.root,
    allow: plan.allow,
    created: plan.created,
    labels: labelsOf(plan, base),
  });
}

/** What decides an image. */
export interface ImageInputs {
  readonly names: OutputNames;
  /** Key of the base that it stands on in the end. */
  readonly base: Digest;
  /** Keys, in the order of the packages. */
  readonly fragments: readonly string[];
  /** Keys, lowest first. */
  readonly layers: readonly string[];
  /** Texts of the manifest and the lock in the image. */
  readonly manifest: string;
  readonly lock: string;
  /** Where packages and the view are in the image. */
  readonly root: string;
  readonly view: string;
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Seconds since 1970. */
  readonly created: number;
  /** Besides those inherited from the base. */
  readonly labels: Annotations;
}

/** Digest of everything that decides an image. */
export function inputsDigest({ names: { name, arch, version }, ...inputs }: ImageInputs): string {
  return `sha256:${fragmentKey({ assemblyVersion, names: { name, arch, version }, ...inputs })}`;
}

/** The labels of the image on a base. */
export function labelsOf(plan: ContainerPlan, base: Pick<PlannedBase, "packages">): Annotations {
  const { container, configuration, resolved, source, created } = plan;
  const name = baseName(configuration.base, { packages: base.packages ?? [] });
  return imageLabels({
    names: { name: container.name, arch: container.arch, version: resolved.version },
    metadata: configuration.image,
    resolved,
    base: { name, digest: plan.baseDigest },
    source,
    created,
  });
}

/** Bytes of the archives, as far as caches say. */
export async function archiveSizes(
  packages: readonly CachedPackage[],
  caches: CacheSet,
): Promise<ReadonlyMap<DagHash, number>> {
  const sizes = await mapConcurrently(packages, sizesAtOnce, (cached) => caches.archiveSize(cached));
  return new Map(
    packages.flatMap(({ spec }, index) => {
      const size = sizes[index];
      return size === undefined ? [] : [[spec.hash, size]];
    }),
  );
}

/** What later versions will do is refused clearly until then. */
function refuseWhatIsNotBuiltYet(container: Container): void {
  const place = { file: container.path };
  if (container.kind === "def")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${container.name} is an Apptainer definition file, which has no packages to plan for`,
      { place, hint: "`spacktainers build` makes its image" },
    );
  if (container.epilogue !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${container.name} has a Dockerfile.epilogue, which is not applied yet`,
      {
        place: { file: container.epilogue },
        hint: "add OS packages with `base: packages:` in spacktainers.yaml, or move the file away",
      },
    );
}
