import type { Container } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { openContainerForBuild } from "../../pipeline/plan/openContainer.ts";
import { type PlanningRequest, planContainer } from "../../pipeline/plan/planContainer.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { inWorkshop } from "../../pipeline/workspace/workshop.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { askRegistries } from "./planPush.ts";
import { type PlanReport, reportPlan } from "./planReport.ts";

/** A command line of `plan`. */
export type PlanRequest = PlanningRequest &
  Pick<BuildRequest, "directory" | "names" | "arch" | "caches" | "trust" | "emit" | "signal"> & {
    /** Ask the configured registries what they have. */
    readonly registry: boolean;
  };

/** The plans that there are, and why there are no others. */
export interface PlanResult {
  readonly plans: readonly PlanReport[];
  readonly failures: readonly SpacktainersError[];
}

/**
 * Tells what `build` and `push` would do for the containers asked for. Nothing is built, and nothing is downloaded but metadata.
 *
 * A container for which there is no plan does not keep the others from theirs. Definition files of Apptainer are passed over
 * when no container was named.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; problems of the repository; `INTERRUPTED`
 */
export async function planContainers(request: PlanRequest): Promise<PlanResult> {
  const { directory } = request;
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
  const registries = request.registry ? configuration.registries : [];
  const neighboursOf = (container: Container): readonly Container[] =>
    repository.containers.filter(
      (other) =>
        !other.parked && other.kind === "spack" && other.arch === container.arch && other !== container,
    );
  return inWorkshop(configuration, { ...request, jobs: undefined }, async (workshop) => {
    const plans: PlanReport[] = [];
    const failures: SpacktainersError[] = [];
    for (const container of containers) {
      try {
        const opened = await openContainerForBuild(container, configuration, request, workshop);
        const plan = await planContainer(opened, request, workshop);
        const there =
          registries.length === 0
            ? undefined
            : await askRegistries(plan, registries, neighboursOf(container), workshop);
        plans.push(await reportPlan(plan, workshop.store, workshop, there));
      } catch (thrown) {
        request.signal.throwIfAborted();
        failures.push(...errorsOf(thrown));
      }
    }
    return { plans, failures };
  });
}

function errorsOf(thrown: unknown): readonly SpacktainersError[] {
  if (thrown instanceof SpacktainersErrors) return thrown.errors;
  if (thrown instanceof SpacktainersError) return [thrown];
  throw thrown;
}
