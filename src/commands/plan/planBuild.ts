import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { packagesAtOnce } from "../../pipeline/compile/builder.ts";
import { lockedChoice, rootsOf, solvedChoice, withBuilder } from "../../pipeline/compile/buildMissing.ts";
import { findOutdated } from "../../pipeline/compile/changedSources.ts";
import { type CompilePlan, compilePlan, estimateBuilds } from "../../pipeline/compile/compilePlan.ts";
import { findNeededPackages } from "../../pipeline/compile/neededPackages.ts";
import { buildPlace } from "../../pipeline/compile/openExecutor.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { openBuildTimes } from "../../spack/buildTimes.ts";
import { spackHome } from "../../spack/folders.ts";

/** A plan for a container of which packages have to be built first. What its layers will be shows when they are. */
export interface BuildPlanReport {
  readonly name: string;
  readonly arch: string;
  readonly build: CompilePlan;
}

/**
 * Tells what has to be built for a container before its image can be made. Nothing is built, and no lock is written.
 *
 * @returns undefined when nothing has to be, or building is not allowed, or nobody knows yet: there is no lock, and Spack is not
 *   asked to choose
 * @throws {SpacktainersError} of caches; with `solve`, `NO_SOLUTION` and of getting Spack
 */
export async function planBuild(
  container: Container,
  configuration: Configuration,
  resources: Pick<Resources, "caches" | "building" | "emit" | "signal">,
): Promise<BuildPlanReport | undefined> {
  const { building, caches } = resources;
  if (building === undefined || container.kind === "def") return undefined;
  return withBuilder(container, { configuration, building, tools: resources }, async (builder) => {
    const chosen =
      (await lockedChoice(container, configuration, building)) ??
      (building.solve
        ? await solvedChoice(container, { configuration, building, tools: resources, builder })
        : undefined);
    if (chosen === undefined) return undefined;
    const { graph } = chosen.lock;
    const outdated = await findOutdated(graph, building.trust);
    const needed = await findNeededPackages(
      { graph, roots: rootsOf(chosen.lock) },
      resources,
      new Set(outdated.keys()),
    );
    if (needed.graph.nodes.length === 0) return undefined;
    const { executor } = buildPlace(configuration, building);
    // Slurm decides itself how many jobs run at a time, unless somebody says so.
    const atOnce =
      building.atOnce ??
      (executor === "slurm" ? needed.graph.nodes.length : packagesAtOnce(availableParallelism()));
    const times = openBuildTimes(join(spackHome(), "times"));
    const estimated = await estimateBuilds(needed, atOnce, times, caches);
    return {
      name: container.name,
      arch: container.arch,
      build: compilePlan(needed, estimated, executor, atOnce),
    };
  });
}
