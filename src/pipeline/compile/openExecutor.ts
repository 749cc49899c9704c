/** The executor that packages are built by, as configured and asked for. */
import { openBuildCache } from "../../buildcache/buildCache.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { type BuilderEngine, builderEngines } from "../../definitions/executorNames.ts";
import { chosenExecutor, defaultBuilder } from "../../definitions/spackConfiguration.ts";
import { coresOfNodes } from "../../slurm/queue.ts";
import type { BuildNode } from "../../spack/buildGraph.ts";
import type { BuilderChoice } from "../../spack/container/openBuilderContainer.ts";
import { openContainerExecutor } from "../../spack/executors/containerExecutor.ts";
import type { Executor } from "../../spack/executors/executor.ts";
import { openHostExecutor } from "../../spack/executors/hostExecutor.ts";
import { openSlurmExecutor } from "../../spack/executors/slurmExecutor.ts";
import type { Spack } from "../../spack/spack.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../../util/events.ts";
import type { BuildingRequest } from "../workspace/buildingRequest.ts";

/** Most cores that a job asks for when nobody says how many. */
const usualCores = 8;

/** Engines that run files, which several machines can see. */
const sharedEngines: ReadonlySet<BuilderEngine> = new Set(["apptainer", "singularity"]);

/** Where packages are built, in the builder image or not. */
export interface BuildPlace {
  readonly executor: "host" | "container" | "slurm";
  /** The image that Spack runs in; undefined: on the machine itself. */
  readonly builder: BuilderChoice | undefined;
}

/** Where a configuration and a command line want packages to be built. */
export function buildPlace(
  { spack }: Pick<Configuration, "spack">,
  asked: Pick<BuildingRequest, "executor" | "builder"> = {},
): BuildPlace {
  const builder = asked.builder !== undefined ? { image: asked.builder, place: {} } : spack.builder;
  // What is asked for goes over what is configured: a host that is asked for has no builder image.
  const executor =
    asked.executor ??
    (asked.builder !== undefined && spack.executor !== "slurm" ? "container" : chosenExecutor(spack));
  if (executor === "host" || (executor === "slurm" && builder === undefined))
    return { executor, builder: undefined };
  const { image, place } = builder ?? { image: defaultBuilder, place: {} };
  // What only this machine's engines have is not on the nodes.
  const usual = builderEngines.filter((engine) => executor !== "slurm" || sharedEngines.has(engine));
  return {
    executor,
    builder: { image, engines: spack.engine === undefined ? usual : [spack.engine], place },
  };
}

/** What an executor is opened for. */
export interface ExecutorWork {
  readonly place: BuildPlace;
  readonly nodes: readonly BuildNode[];
  /** Packages at a time, if somebody says how many. */
  readonly atOnce: number | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Opens the executor.
 *
 * @throws SpacktainersError RUNTIME_MISSING as `openSlurmExecutor`; NOT_SUPPORTED for jobs in an image that only this machine has
 */
export async function openExecutor(spack: Spack, work: ExecutorWork): Promise<Executor> {
  const { container, watcher, settings, folders } = spack;
  if (work.place.executor === "slurm") {
    if (container !== undefined && !container.isShared)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `jobs cannot use the builder image ${container.image}, which only ${container.engine} of this machine has`,
        {
          place: work.place.builder?.place ?? {},
          hint: "make a SIF file of it that the nodes see, and set `spack: engine: apptainer`",
        },
      );
    const wanted = new Map(work.nodes.map(({ spec }) => [spec.hash, spec]));
    return openSlurmExecutor({
      python: watcher,
      container,
      settings: settings.slurm,
      logs: folders.logs,
      wanted: (hash) => wanted.has(hash),
      isBuilt: async (hash) => {
        const spec = wanted.get(hash);
        return spec !== undefined && isInCache(spec, folders.built, work.signal);
      },
      holdsBack: work.atOnce === undefined,
      emit: work.emit,
    });
  }
  return container === undefined ? openHostExecutor(watcher) : openContainerExecutor(watcher, container);
}

/** Cores that packages can be given: of this machine, or of a job. */
export async function coresOf(
  { executor }: BuildPlace,
  { slurm, jobs }: Spack["settings"],
  own: number,
): Promise<number> {
  if (executor !== "slurm") return Math.min(own, jobs ?? own);
  return slurm.cores ?? Math.min(jobs ?? usualCores, (await coresOfNodes(slurm.partition)) ?? usualCores);
}

/** Whether this machine's build cache has a package, as somebody sees it who looks for the first time. */
async function isInCache(spec: ConcreteSpec, folder: string, signal: AbortSignal): Promise<boolean> {
  const cache = openBuildCache({ url: folder, keys: [], unsigned: true }, { emit: ignoreEvents, signal });
  try {
    return (await cache.findPackage(spec)) !== undefined;
  } catch {
    // It is built again.
    return false;
  } finally {
    await cache.close();
  }
}
