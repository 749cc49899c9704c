import { selectContainers } from "../../definitions/select.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { parseOutput } from "../../pipeline/workspace/outputs.ts";
import { inWorkshop, tidyWorkshop } from "../../pipeline/workspace/workshop.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type BuildResult, buildContainer } from "./buildContainer.ts";
import { buildDefinition } from "./buildDefinition.ts";

/**
 * Builds the images of the containers asked for, one after the other; they share the caches, the threads and what is
 * finished.
 *
 * @returns one result a container, in their order
 * @throws {SpacktainersError} of the first container that fails; those before it are built
 */
export async function buildContainers(request: BuildRequest): Promise<readonly BuildResult[]> {
  const { directory } = request;
  // A slip in an output's name is told now, not when all is ready to be written.
  for (const output of request.outputs) parseOutput(output, directory, { name: "", arch: "", version: "" });
  const repository = await openSoundRepository(directory);
  const arch = asArchitecture(request.arch);
  const containers = await selectContainers(repository, {
    names: request.names,
    cwd: directory,
    ...(arch === undefined ? {} : { arch }),
  });
  if (containers.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to build", {
      hint: "definitions are container_definitions/<arch>/<name>/spack.yaml",
    });
  const fixedPlace = request.outputs.find((output) => !/\{name\}/.test(output));
  if (containers.length > 1 && fixedPlace !== undefined)
    throw new SpacktainersError(
      "USAGE",
      `--output ${fixedPlace} is one place for ${containers.length} containers`,
      {
        hint: "write {name} (and {arch}) in the path",
      },
    );
  return inWorkshop(repository.configuration, request, async (workshop) => {
    const results: BuildResult[] = [];
    for (const container of containers)
      results.push(
        await (container.kind === "def" ? buildDefinition : buildContainer)(
          container,
          repository.configuration,
          request,
          workshop,
        ),
      );
    if (results.some(({ upToDate }) => !upToDate)) await tidyWorkshop(workshop);
    return results;
  });
}
