import { type PlanningRequest, planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type ContainerOutcome, forEachContainer } from "../../pipeline/workspace/outcomes.ts";
import { withResources } from "../../pipeline/workspace/resources.ts";
import { neighboursOf, selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { type BuildPlanReport, planBuild } from "./planBuild.ts";
import { askRegistries } from "./planPush.ts";
import { type PlanReport, reportPlan } from "./planReport.ts";

/** A command line of `plan`. */
export type PlanRequest = PlanningRequest &
  Pick<
    BuildRequest,
    "directory" | "names" | "arch" | "failFast" | "caches" | "trust" | "building" | "emit" | "signal"
  > & {
    /** Ask the configured registries what they have. */
    readonly registry: boolean;
  };

/**
 * Tells what `build` and `push` would do for the containers asked for. Nothing is built, and nothing is downloaded but metadata.
 * A container for which there is no plan does not keep the others from theirs. Definition files of Apptainer are left out
 * when no container was named.
 *
 * @returns what became of each container, in their order
 * @throws {SpacktainersError} when nothing was tried: `UNKNOWN_CONTAINER`, `USAGE`, a faulty configuration; `INTERRUPTED`
 */
export async function planContainers(
  request: PlanRequest,
): Promise<readonly ContainerOutcome<PlanReport | BuildPlanReport>[]> {
  const { signal, failFast } = request;
  const repository = await openSoundRepository(request.directory);
  const definitions = await selectAsked(repository, request, "plan for", { spackOnly: true });
  const { configuration } = repository;
  const registries = request.registry ? configuration.registries : [];
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, emit: events.emit, jobs: undefined }, (resources) =>
    forEachContainer(definitions, { events, signal, failFast }, async (container) => {
      const toBuild = await planBuild(container, configuration, resources);
      if (toBuild !== undefined) return toBuild;
      const plan = await planContainer(container, configuration, { request, tools: resources }).catch(
        (error: unknown) => {
          throw resources.building === undefined ? error : withSolveHint(error);
        },
      );
      const there =
        registries.length === 0
          ? undefined
          : await askRegistries(plan, registries, neighboursOf(container, repository), resources);
      return reportPlan(plan, resources.store, resources, there);
    }),
  );
}

/** Says of what the caches lack that Spack would choose and build it. */
function withSolveHint(error: unknown): unknown {
  const lacking = ["NO_SOLUTION", "PACKAGE_NOT_CACHED", "CONFIG_INVALID"];
  const [first] = error instanceof SpacktainersErrors ? error.errors : [error];
  if (!(first instanceof SpacktainersError) || !lacking.includes(first.code)) return error;
  return new SpacktainersError("NO_SOLUTION", `the caches do not suffice: ${first.message}`, {
    place: first.place,
    hint: "`build` lets Spack choose and builds the missing packages; to see which: `plan --solve`",
    cause: error,
  });
}
