import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { LoadedEnvironment } from "../choose/loadEnvironment.ts";
import { openEnvironment } from "../choose/openEnvironment.ts";
import type { Resources } from "../workspace/resources.ts";
import { containerConfiguration } from "./containerConfiguration.ts";
import { type LockUse, openLocks } from "./useLocks.ts";

/** A container's definition and locks, read. */
export interface OpenedContainer {
  readonly container: Container;
  readonly configuration: Configuration;
  readonly loaded: LoadedEnvironment;
  readonly locks: LockUse;
}

/**
 * Reads a container's definition and its locks, for an image.
 *
 * @param request `frozen`: refuse locks that are missing or do not fit
 * @throws {SpacktainersError} of reading; `NOT_SUPPORTED` for what cannot be built yet; with `frozen`, `LOCK_STALE`
 */
export async function openContainerForBuild(
  container: Container,
  configured: Configuration,
  { frozen }: { readonly frozen: boolean },
  tools: Pick<Resources, "caches" | "areCachesGiven" | "emit">,
): Promise<OpenedContainer> {
  refuseWhatIsNotBuiltYet(container);
  const configuration = await containerConfiguration(configured, container, tools.emit);
  const loaded = await openEnvironment(container, configuration, tools, { frozen });
  const locks = await openLocks(container, loaded, configuration, { frozen, emit: tools.emit });
  return { container, configuration, loaded, locks };
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
}
