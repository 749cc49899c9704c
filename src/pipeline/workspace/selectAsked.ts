import type { Container, Definition, Repository } from "../../definitions/repository.ts";
import { selectDefinitions } from "../../definitions/select.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { asArchitecture } from "./architecture.ts";
import type { ContainersRequest } from "./buildRequest.ts";

/**
 * The definitions that a command line asks for: those named, else all.
 *
 * @param what is to be done with them (`build`), for the message when there are none
 * @param options `spackOnly`: without names, definition files of Apptainer are left out
 * @returns at least one; broken ones too, whose errors are theirs alone
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; `USAGE` for an architecture that we do not build
 */
export async function selectAsked(
  repository: Repository,
  { directory, names, arch: wanted }: Pick<ContainersRequest, "directory" | "names" | "arch">,
  what: string,
  { spackOnly = false }: { readonly spackOnly?: boolean } = {},
): Promise<readonly Definition[]> {
  const arch = asArchitecture(wanted);
  const selected = await selectDefinitions(repository, {
    names,
    cwd: directory,
    arch,
  });
  const asked = spackOnly && names.length === 0 ? selected.filter(({ kind }) => kind !== "def") : selected;
  if (asked.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", `there is no container to ${what}`, {
      hint: "`spacktainers init` creates a repository, and `spacktainers add NAME SPEC` a definition in it; name a spack.yaml elsewhere by its path",
    });
  return asked;
}

/** The other containers of the repository that images for the same architecture share layers with. */
export function neighboursOf(
  container: Pick<Container, "arch" | "path">,
  { containers }: Pick<Repository, "containers">,
): readonly Container[] {
  return containers.filter(
    ({ parked, kind, arch, path }) =>
      !parked && kind === "spack" && arch === container.arch && path !== container.path,
  );
}
