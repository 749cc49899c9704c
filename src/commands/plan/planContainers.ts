import { type PlanningRequest, planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type ContainerOutcome, forEachContainer } from "../../pipeline/workspace/outcomes.ts";
import { neighboursOf, selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { inWorkshop } from "../../pipeline/workspace/workshop.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { askRegistries } from "./planPush.ts";
import { type PlanReport, reportPlan } from "./planReport.ts";

/** A command line of `plan`. */
export type PlanRequest = PlanningRequest &
  Pick<BuildRequest, "directory" | "names" | "arch" | "failFast" | "caches" | "trust" | "emit" | "signal"> & {
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
export async function planContainers(request: PlanRequest): Promise<readonly ContainerOutcome<PlanReport>[]> {
  const { signal, failFast } = request;
  const repository = await openSoundRepository(request.directory);
  const definitions = await selectAsked(repository, request, "plan for", { spackOnly: true });
  const { configuration } = repository;
  const registries = request.registry ? configuration.registries : [];
  const events = nameEvents(request.emit);
  return inWorkshop(configuration, { ...request, emit: events.emit, jobs: undefined }, (workshop) =>
    forEachContainer(definitions, { events, signal, failFast }, async (container) => {
      const plan = await planContainer(container, configuration, request, workshop);
      const there =
        registries.length === 0
          ? undefined
          : await askRegistries(plan, registries, neighboursOf(container, repository), workshop);
      return reportPlan(plan, workshop.store, workshop, there);
    }),
  );
}
