import { SpacktainersError } from "../util/errors.ts";
import { withDescriptor } from "./containerProcess.ts";
import { descriptorOf, firstDescriptor, type Invocation, refuseHostMpi } from "./invocation.ts";
import type { ContainerProcess } from "./types.ts";

/**
 * The command that runs a container by Charliecloud, from a directory with its root. The program has the container's variables and no others:
 * `ch-run` passes on its own, so that they need not be on the command line. Source: ch-run(1) of releases 0.31 and 0.38.
 *
 * @param root directory with the unpacked image, and places for what is bound
 * @param layered this `ch-run` can put a layer above the image to write into (0.36)
 * @throws SpacktainersError NOT_SUPPORTED for what Charliecloud cannot do
 */
export function charliecloudInvocation(
  program: string,
  root: string,
  container: ContainerProcess,
  layered: boolean,
): Invocation {
  refuseHostMpi("Charliecloud", container);
  const lacking =
    container.gpu !== undefined
      ? "bring the drivers of graphics processors"
      : container.network === "none"
        ? "keep a container from the network"
        : container.binds.some(({ readOnly }) => readOnly)
          ? "make a bind read-only"
          : container.ownScript !== undefined
            ? "run Apptainer's own image formats"
            : undefined;
  if (lacking !== undefined) throw new SpacktainersError("NOT_SUPPORTED", `Charliecloud cannot ${lacking}`);
  const options = [`--cd=${container.workdir}`];
  if (layered && !container.readOnly) options.push("--write-fake");
  if (container.fakeroot) options.push("--uid=0", "--gid=0");
  // Ranks find one another in the machine's.
  if (container.launch === undefined) options.push("--private-tmp");
  const env: NodeJS.ProcessEnv = { USER: container.user.name, HOME: container.user.home };
  const given: string[] = [];
  // The loader would go by them for ch-run itself.
  for (const [name, value] of withDescriptor(container, firstDescriptor).env)
    if (/^LD_/.test(name)) given.push(`--set-env=${name}=${value}`);
    else env[name] = value;
  if (given.length > 0) options.push("--env-no-expand", ...given);
  for (const { source, target } of container.binds) {
    if (/:/.test(source + target))
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `ch-run --bind cannot take a path with a colon in it: ${source}`,
      );
    options.push(`--bind=${source}:${target}`);
  }
  return { argv: [program, ...options, root, "--", ...container.argv], env, ...descriptorOf(container) };
}
