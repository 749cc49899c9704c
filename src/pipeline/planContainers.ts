import { join } from "node:path";
import { baseCacheDirectory } from "../base/baseStore.ts";
import { planBase } from "../base/buildBase.ts";
import { openCaches } from "../buildcache/cacheSet.ts";
import { selectContainers } from "../definitions/select.ts";
import { openFragmentStore } from "../image/fragmentStore.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { asArchitecture } from "./architecture.ts";
import { baseSpec } from "./baseSpec.ts";
import type { BuildRequest } from "./buildRequest.ts";
import {
  baseOptionsOf,
  openContainerForBuild,
  type PlanningRequest,
  type PlanningTools,
  planContainer,
} from "./planContainer.ts";
import { type PlanReport, reportPlan } from "./planReport.ts";
import { cacheSources, openSoundRepository } from "./workspace.ts";

/** A command line of `plan`. */
export type PlanRequest = PlanningRequest &
  Pick<BuildRequest, "directory" | "names" | "arch" | "caches" | "trust" | "emit" | "signal">;

/** The plans that there are, and why there are no others. */
export interface PlanResult {
  readonly plans: readonly PlanReport[];
  readonly failures: readonly SpacktainersError[];
}

/**
 * Tells what `build` would do for the containers asked for. Nothing is built, and nothing is downloaded but metadata.
 *
 * A container for which there is no plan does not keep the others from theirs. Definition files of Apptainer are passed over
 * when no container was named.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; problems of the repository; `INTERRUPTED`
 */
export async function planContainers(request: PlanRequest): Promise<PlanResult> {
  const { emit, signal, directory } = request;
  const repository = await openSoundRepository(directory);
  const arch = asArchitecture(request.arch);
  const selected = await selectContainers(repository, {
    names: request.names,
    cwd: directory,
    ...(arch === undefined ? {} : { arch }),
  });
  const containers = request.names.length > 0 ? selected : selected.filter(({ kind }) => kind === "spack");
  if (containers.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to plan for", {
      hint: "definitions are container_definitions/<arch>/<name>/spack.yaml",
    });
  const { configuration } = repository;
  const sources = await cacheSources(configuration.caches, request, directory);
  const caches = openCaches(sources, { emit, signal, refresh: request.refresh });
  const store = openFragmentStore(join(cacheHome(), "fragments"));
  const tools: PlanningTools = { caches, baseCacheDir: baseCacheDirectory(), emit, signal };
  try {
    const plans: PlanReport[] = [];
    const failures: SpacktainersError[] = [];
    for (const container of containers) {
      try {
        const opened = await openContainerForBuild(container, configuration, request, tools);
        const base = await planBase(baseSpec(configuration.base), baseOptionsOf(opened, request, tools));
        const plan = await planContainer(opened, request, base, tools);
        plans.push(await reportPlan(plan, request, store, tools));
      } catch (thrown) {
        signal.throwIfAborted();
        failures.push(...errorsOf(thrown));
      }
    }
    return { plans, failures };
  } finally {
    await caches.close();
  }
}

function errorsOf(thrown: unknown): readonly SpacktainersError[] {
  if (thrown instanceof SpacktainersErrors) return thrown.errors;
  if (thrown instanceof SpacktainersError) return [thrown];
  throw thrown;
}
