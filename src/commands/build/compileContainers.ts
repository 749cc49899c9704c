import { buildMissing } from "../../pipeline/compile/buildMissing.ts";
import { publisher } from "../../pipeline/compile/publisher.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type ContainerOutcome, forEachContainer } from "../../pipeline/workspace/outcomes.ts";
import { withResources } from "../../pipeline/workspace/resources.ts";
import { selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { nameEvents } from "../../util/nameEvents.ts";

/** Packages of a container that were built, without its image. */
export interface CompileResult {
  readonly name: string;
  readonly arch: string;
  /** `name@version/hash`, shortened. */
  readonly built: readonly string[];
  /** Folder of the logs; left out when nothing had to be built. */
  readonly logs?: string;
  readonly milliseconds: number;
}

/**
 * Builds packages of the containers asked for, as `request.building` says, and no images.
 *
 * @throws {SpacktainersError} as `buildContainers`
 */
export async function compileContainers(
  request: Omit<BuildRequest, "outputs" | "force">,
): Promise<readonly ContainerOutcome<CompileResult>[]> {
  const { directory, signal, failFast } = request;
  const repository = await openSoundRepository(directory);
  const definitions = await selectAsked(repository, request, "build");
  const { configuration } = repository;
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, emit: events.emit }, (resources) =>
    forEachContainer(definitions, { events, signal, failFast }, async (container): Promise<CompileResult> => {
      const started = performance.now();
      const publish = publisher(configuration, resources);
      const { compiled } = await buildMissing(container, configuration, resources, publish);
      return {
        name: container.name,
        arch: container.arch,
        built: compiled?.built ?? [],
        ...(compiled === undefined ? {} : { logs: compiled.logs }),
        milliseconds: performance.now() - started,
      };
    }),
  );
}
