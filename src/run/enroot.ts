import { basename, dirname } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { withDescriptor } from "./containerProcess.ts";
import { descriptorOf, firstDescriptor, type Invocation, refuseHostMpi } from "./invocation.ts";
import type { ContainerProcess } from "./types.ts";

/** What enroot is to run in place of the image's entrypoint, which is in the command already. */
export const enrootScript = 'cd "$SPACKTAINERS_WORKDIR" || exit\nexec "$@"\n';

/** Variables that change what enroot, a script for Bash, does itself. */
const ownVariable = /^(?:PATH|HOME|IFS|ENV|BASH.*|LD_.*|ENROOT_.*|XDG_.*|TMPDIR)$/;

/**
 * The command that runs a container by enroot, from a directory with its root, which enroot takes for a container that is there (its name is
 * the directory's). Values that were given are not on the command line, but for those that would change enroot. Source: enroot's doc/cmd/start.md.
 *
 * @param root directory with the unpacked image; mounted read-only, since others use it
 * @param script file with {@link enrootScript}
 * @throws SpacktainersError NOT_SUPPORTED for what enroot cannot do
 */
export function enrootInvocation(
  program: string,
  root: string,
  script: string,
  container: ContainerProcess,
): Invocation {
  refuseHostMpi("enroot", container);
  const lacking =
    container.gpu === "rocm"
      ? "bring AMD's drivers"
      : container.ownScript !== undefined
        ? "run Apptainer's own image formats"
        : undefined;
  if (lacking !== undefined) throw new SpacktainersError("NOT_SUPPORTED", `enroot cannot ${lacking}`);
  const options = [`--rc=${script}`];
  if (container.fakeroot) options.push("--root");
  if (container.network === "none") options.push("--net");
  for (const { source, target, readOnly } of container.binds) {
    if (/[:,\s]/.test(source + target))
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `enroot cannot mount a path with a blank, comma or colon in it: ${source}`,
      );
    options.push(`--mount=${source}:${target}:none:x-create=auto,rbind${readOnly ? ",ro" : ""}`);
  }
  const env: NodeJS.ProcessEnv = { ...hostEnvironment(), ENROOT_DATA_PATH: dirname(root) };
  const { env: all, extraEnv } = withDescriptor(container, firstDescriptor);
  const given = new Map(extraEnv);
  if (container.gpu === "nvidia") {
    given.set("NVIDIA_VISIBLE_DEVICES", "all");
    given.set("NVIDIA_DRIVER_CAPABILITIES", "compute,utility");
  }
  for (const [name, value] of new Map([...all, ...given])) {
    if (name === "HOME") continue;
    const isPublic = !given.has(name) || ownVariable.test(name);
    options.push(isPublic ? `--env=${name}=${value}` : `--env=${name}`);
    if (!isPublic) env[name] = value;
  }
  options.push(`--env=SPACKTAINERS_WORKDIR=${container.workdir}`);
  return {
    argv: [program, "start", ...options, basename(root), ...container.argv],
    env,
    ...descriptorOf(container),
  };
}
