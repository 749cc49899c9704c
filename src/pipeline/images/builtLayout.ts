import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hostArchitecture, selectContainers } from "../../definitions/select.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { openRepository } from "../workspace/workspace.ts";
import { defaultOutput } from "./builtImage.ts";

/**
 * The OCI layout of an image: a directory that is one, or the output of a container of the repository.
 *
 * @param request `directory`: where we work; `image`: a container's name or a path; `arch`: default this machine's
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when it is not built, `USAGE`
 */
export async function builtLayout({
  directory,
  image,
  arch,
}: {
  readonly directory: string;
  readonly image: string;
  readonly arch: string | undefined;
}): Promise<string> {
  const path = resolve(directory, image);
  if (await isLayout(path)) return path;
  const repository = await openRepository(directory);
  const wanted = asArchitecture(arch);
  const [container] = await selectContainers(repository, {
    names: [image],
    cwd: directory,
    arch: wanted ?? hostArchitecture(),
  });
  if (container === undefined)
    throw new SpacktainersError("UNKNOWN_CONTAINER", `there is no container ${image}`);
  const output = defaultOutput(repository.configuration.output, container);
  if (!(await isLayout(output)))
    throw new SpacktainersError("NOT_FOUND", `${container.name} is not built yet`, {
      place: { file: output },
      hint: `spacktainers build ${container.name}`,
    });
  return output;
}

async function isLayout(path: string): Promise<boolean> {
  return stat(join(path, "oci-layout")).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
