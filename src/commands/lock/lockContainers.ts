import { dirname, join } from "node:path";
import type { Container } from "../../definitions/repository.ts";
import type { ContainersRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type ContainerOutcome, forEachContainer } from "../../pipeline/workspace/outcomes.ts";
import { withResources } from "../../pipeline/workspace/resources.ts";
import { selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { expectWritable } from "../../util/expectWritable.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { checkLocks } from "./checkLocks.ts";
import { type LockResult, lockContainer } from "./lockContainer.ts";

/** A command line of `lock`. */
export interface LockRequest extends ContainersRequest {
  /** Roots that are locked and still asked for keep their configuration. */
  readonly keep: boolean;
  /** Write nothing; a lock that is missing or does not fit is a failure. */
  readonly check: boolean;
}

/**
 * Locks the containers asked for, one after the other; a container that cannot be locked does not keep the others from it.
 * Containers without Spack packages are left out when none was named.
 *
 * @returns what became of each container, in their order; with `check`, nothing of those whose locks are right
 * @throws {SpacktainersError} when nothing was tried: `UNKNOWN_CONTAINER`, `USAGE`, a faulty configuration; `INTERRUPTED`
 */
export async function lockContainers(
  request: LockRequest,
): Promise<readonly ContainerOutcome<LockResult | undefined>[]> {
  const { signal, failFast, refresh } = request;
  const repository = await openSoundRepository(request.directory);
  const definitions = await selectAsked(repository, request, "lock", { spackOnly: true });
  const { configuration } = repository;
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, emit: events.emit }, (resources) =>
    forEachContainer(definitions, { events, signal, failFast }, async (container) => {
      refuseDefinitionFile(container);
      if (!request.check) {
        await expectWritable(join(dirname(container.path), "spack.lock"));
        return lockContainer(container, configuration, request.keep, { ...resources, refresh });
      }
      const problems = await checkLocks(container, configuration, resources);
      if (problems.length > 0) throw oneError(problems);
      return undefined;
    }),
  );
}

function refuseDefinitionFile(container: Container): void {
  if (container.kind === "def")
    throw new SpacktainersError("NOT_SUPPORTED", `${container.name} is an Apptainer definition file`, {
      place: { file: container.path },
      hint: "only containers with a spack.yaml have locks",
    });
}
