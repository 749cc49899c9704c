import type { Container, Repository } from "../../definitions/repository.ts";
import { selectContainers, theOneMeant } from "../../definitions/select.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { asArchitecture } from "./architecture.ts";

/**
 * The one container with Spack packages that a name stands for; of one for each architecture, the one for this machine.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; `USAGE` when there are several; `NOT_SUPPORTED` for a definition file
 */
export async function selectOne(
  name: string,
  repository: Repository,
  { directory, arch }: { readonly directory: string; readonly arch: string | undefined },
): Promise<Container> {
  const wanted = asArchitecture(arch);
  const container = expectOne(
    name,
    await selectContainers(repository, {
      names: [name],
      cwd: directory,
      arch: wanted,
    }),
  );
  if (container === undefined)
    throw new SpacktainersError("UNKNOWN_CONTAINER", `there is no container ${name}`);
  if (container.kind === "def")
    throw new SpacktainersError("NOT_SUPPORTED", `${container.name} is an Apptainer definition file`, {
      place: { file: container.path },
      hint: "this verb needs a container with a spack.yaml",
    });
  return container;
}

/**
 * The one of the containers that a name stands for.
 *
 * @returns undefined when there is none
 * @throws {SpacktainersError} `USAGE` when there are several
 */
export function expectOne(name: string, containers: readonly Container[]): Container | undefined {
  const meant = theOneMeant(containers);
  if ("one" in meant) return meant.one;
  const [container, other] = meant.several;
  throw new SpacktainersError("USAGE", `${name} is more than one container`, {
    hint: `write ${container.arch}/${container.name} or ${other.arch}/${other.name}`,
  });
}
