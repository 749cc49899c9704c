import type { Container, Definition } from "../../definitions/container.ts";
import { theOneMeant } from "../../definitions/select.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type ContainerOutcome, forEachContainer, resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { parseOutput } from "../../pipeline/workspace/outputs.ts";
import { tidyResources, withResources } from "../../pipeline/workspace/resources.ts";
import { selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { type BuildResult, buildContainer } from "./buildContainer.ts";

/**
 * Builds the images of the containers asked for, one after the other; they share the caches, the threads and what is
 * finished. A container that cannot be built does not keep the others from it.
 *
 * @returns what became of each container, in their order
 * @throws {SpacktainersError} when nothing was tried: `UNKNOWN_CONTAINER`, `USAGE`, a faulty configuration; `INTERRUPTED`
 */
export async function buildContainers(
  request: BuildRequest,
): Promise<readonly ContainerOutcome<BuildResult>[]> {
  const { directory, signal, failFast } = request;
  // A slip in an output's name is reported now, not when everything is ready to be written.
  for (const output of request.outputs) parseOutput(output, directory, { name: "", arch: "", version: "" });
  const repository = await openSoundRepository(directory);
  const definitions = onePlaceEach(await selectAsked(repository, request, "build"), request);
  const { configuration } = repository;
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, emit: events.emit }, async (resources) => {
    const outcomes = await forEachContainer(definitions, { events, signal, failFast }, async (container) => {
      const build =
        container.kind === "def" ? (await import("./buildDefinition.ts")).buildDefinition : buildContainer;
      return build(container, configuration, request, resources);
    });
    if (resultsOf(outcomes).some(({ upToDate }) => !upToDate)) await tidyResources(resources);
    return outcomes;
  });
}

/**
 * The containers, each with outputs in places of its own. Of one for each architecture whose outputs would be in one place, the one
 * for this machine is meant.
 *
 * @throws SpacktainersError USAGE when several would be written to one place
 */
function onePlaceEach(
  definitions: readonly Definition[],
  { outputs, directory }: Pick<BuildRequest, "outputs" | "directory">,
): readonly Definition[] {
  const shared = outputs.find((output) => {
    const places = definitions.map(
      ({ name, arch = "" }) => parseOutput(output, directory, { name, arch, version: "" }).path,
    );
    return new Set(places).size < places.length;
  });
  if (shared === undefined) return definitions;
  const containers = definitions.filter((one): one is Container => one.kind !== "broken");
  const meant = containers.length === definitions.length ? theOneMeant(containers) : undefined;
  if (meant !== undefined && "one" in meant && meant.one !== undefined) return [meant.one];
  throw new SpacktainersError(
    "USAGE",
    `--output ${shared} is the same place for ${definitions.length} containers`,
    {
      hint: "write {name} (and {arch}) in the path",
    },
  );
}
