import type { Container } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import type { ContainersRequest } from "../../pipeline/workspace/buildRequest.ts";
import { inWorkshop } from "../../pipeline/workspace/workshop.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { checkLocks } from "./checkLocks.ts";
import { type LockResult, lockContainer } from "./lockContainer.ts";

/** A command line of `lock`. */
export interface LockRequest extends ContainersRequest {
  /** Roots that are locked and still asked for keep their configuration. */
  readonly keep: boolean;
  /** Write nothing; fail when a lock is missing or does not fit. */
  readonly check: boolean;
}

/**
 * Locks the containers asked for, one after the other; containers without Spack packages are passed over when none was named.
 *
 * @returns one result a container; none with `check`
 * @throws {SpacktainersErrors} with `check`: everything that is out of date
 */
export async function lockContainers(request: LockRequest): Promise<readonly LockResult[]> {
  const { directory } = request;
  const repository = await openSoundRepository(directory);
  const arch = asArchitecture(request.arch);
  const selected = await selectContainers(repository, {
    names: request.names,
    cwd: directory,
    ...(arch === undefined ? {} : { arch }),
  });
  const containers =
    request.names.length > 0 ? selected : selected.filter((container) => container.kind === "spack");
  if (containers.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to lock", {
      hint: "definitions are container_definitions/<arch>/<name>/spack.yaml",
    });
  const { configuration } = repository;
  return inWorkshop(configuration, request, async (workshop) => {
    for (const container of containers) refuseDefinitionFile(container);
    if (request.check) {
      const problems: SpacktainersError[] = [];
      for (const container of containers)
        problems.push(...(await checkLocks(container, configuration, workshop)));
      if (problems.length > 0) throw new SpacktainersErrors(problems);
      return [];
    }
    const results: LockResult[] = [];
    for (const container of containers)
      results.push(
        await lockContainer(container, configuration, request.keep, {
          ...workshop,
          refresh: request.refresh,
        }),
      );
    return results;
  });
}

function refuseDefinitionFile(container: Container): void {
  if (container.kind === "def")
    throw new SpacktainersError("NOT_SUPPORTED", `${container.name} is an Apptainer definition file`, {
      place: { file: container.path },
      hint: "only containers with a spack.yaml have locks",
    });
}
