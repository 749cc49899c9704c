/**
 * The first half of a build: everything that is decided before an archive is downloaded. `build` goes on to carry it out,
 * `plan` shows it.
 */
import { imageMtime } from "../../archive/entry.ts";
import type { Completion } from "../../base/completions.ts";
import type { BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { createdTime } from "../../image/created.ts";
import { packageLayerBudget } from "../../image/planLayers.ts";
import type { DagHash } from "../../spec/concrete.ts";
import type { SourceDescription } from "../../supply/imageDescription.ts";
import type { Digest } from "../../util/digest.ts";
import { baseDigest } from "../base/baseDigest.ts";
import { snapshotTime } from "../base/snapshotTime.ts";
import { type StartedBase, startBase } from "../base/startBase.ts";
import { lockPaths } from "../choose/spacktainersLock.ts";
import type { ImageSettingsRequest } from "../workspace/buildRequest.ts";
import type { Resources } from "../workspace/resources.ts";
import { archiveSizes } from "./archiveSizes.ts";
import { describeSource } from "./describeSource.ts";
import { type OpenedContainer, openContainerForBuild } from "./openContainer.ts";
import { type PackageLayer, planPackageLayers } from "./packageLayers.ts";
import type { PlannedEpilogue } from "./planEpilogue.ts";
import { imageSettings, type PackagePlan, planPackages } from "./planPackages.ts";
import type { LockUse } from "./useLocks.ts";

/** What a build of a container consists of. */
export interface ContainerPlan extends OpenedContainer, PackagePlan {
  /** As configured or locked, without what else packages may need. */
  readonly base: PlannedBase;
  readonly baseOptions: BuildBaseOptions;
  /** To be called when there will be no image: stops the work on the base. */
  readonly abandonBase: StartedBase["abandon"];
  /** The layers of the packages, lowest first. */
  readonly layers: readonly PackageLayer[];
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Time of the image, seconds since 1970. */
  readonly created: number;
  /** What is done to the image in the end. */
  readonly epilogue: PlannedEpilogue | undefined;
  /** Where the definition is kept. */
  readonly source: SourceDescription | undefined;
  /** Of the base's manifest, when it is an image. */
  readonly baseDigest: Digest | undefined;
  /** Of an image that is made again: what its base was completed with then. */
  readonly completion?: Completion | undefined;
}

/** What an image says of itself that is made again: it takes the place of what the definition's surroundings say now. */
export interface RemadeImage extends Pick<ContainerPlan, "allow" | "created" | "source" | "completion"> {
  readonly locks: LockUse;
}

/** What planning asks, and whom it tells. */
export type PlanningTools = Pick<
  Resources,
  "caches" | "areCachesGiven" | "registries" | "baseCacheDir" | "emit" | "signal"
>;

/** The part of a command line that decides a plan. */
export type PlanningRequest = Pick<
  ImageSettingsRequest,
  "frozen" | "strip" | "keepMetadata" | "allowUnresolved" | "refresh" | "buildArguments" | "epilogueNetwork"
>;

/** Layers above those of the packages: the view and what goes with it. */
const layersOnTop = 1;

/** How a container is planned. */
export interface ContainerPlanning {
  readonly request: PlanningRequest;
  readonly tools: PlanningTools;
  readonly remade?: RemadeImage | undefined;
}

/**
 * Reads a container's definition and locks, chooses its packages, decides what its base and its layers are. Metadata is asked
 * for, archives are not.
 *
 * @param remade of an image that is made again
 * @throws {SpacktainersError} as `openContainerForBuild` and `planPackages`; of planning a base; `BASE_INVALID` when the base leaves
 *   no room for layers
 */
export async function planContainer(
  container: Container,
  configured: Configuration,
  { request, tools, remade }: ContainerPlanning,
): Promise<ContainerPlan> {
  const read = await openContainerForBuild(container, configured, request, tools);
  const opened = remade === undefined ? read : { ...read, locks: remade.locks };
  const { configuration, locks } = opened;
  const epilogue =
    container.epilogue === undefined
      ? undefined
      : // In code that most builds do not need.
        await (await import("./planEpilogue.ts")).planEpilogue(container.epilogue, container, {
          epilogue: configuration.epilogue,
          buildArguments: request.buildArguments,
          network: request.epilogueNetwork,
        });
  const base = startBase(
    {
      configured: configuration.base,
      architecture: container.arch,
      lock: locks.base,
      refresh: request.refresh,
    },
    tools,
  );
  try {
    // Git is asked meanwhile, too.
    const source =
      remade === undefined
        ? describeSource(configuration.root, container.path, decidingFiles(container, configuration))
        : remade.source;
    const packages = await planPackages(opened, imageSettings(configuration, request), tools);
    const underneath = await base.planned;
    return {
      ...opened,
      epilogue,
      ...packages,
      base: underneath,
      baseOptions: base.options,
      abandonBase: base.abandon,
      layers: await layersOf(
        packages,
        configuration.layers.budget,
        underneath.layerCount + (epilogue?.layerCount ?? 0),
        tools,
      ),
      allow: remade?.allow ?? [...configuration.linkage.allowUnresolved, ...request.allowUnresolved],
      created: remade?.created ?? createdTime([imageMtime, ...snapshotTime(configuration.base)]),
      completion: remade?.completion,
      source: await source,
      baseDigest: underneath.image?.digest ?? (await baseDigest(configuration.base, container.arch)),
    };
  } catch (error) {
    await base.abandon(error);
    throw error;
  }
}

/** Which packages share a layer. */
async function layersOf(
  { resolved, fragments }: PackagePlan,
  most: number,
  below: number,
  { caches }: Pick<PlanningTools, "caches">,
): Promise<readonly PackageLayer[]> {
  const budget = packageLayerBudget(most, below + layersOnTop);
  // Sizes matter only where layers are shared.
  const sizes =
    fragments.length > budget.alone + budget.shared
      ? await archiveSizes(resolved.packages, caches)
      : new Map<DagHash, number>();
  // Dependencies first: what is needed by most lies lowest.
  return planPackageLayers(fragments.toReversed(), ({ spec }) => sizes.get(spec.hash), budget);
}

/** The files, other than the definition, that decide an image. */
function decidingFiles(container: Container, { file }: Configuration): readonly string[] {
  const { spack, spacktainers } = lockPaths(container);
  return [spack, spacktainers, ...(file === undefined ? [] : [file])];
}
