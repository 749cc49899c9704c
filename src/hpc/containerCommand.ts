/** How one rank of a job runs in its container, as parts of a batch script. */
import { SpacktainersError } from "../util/errors.ts";
import type { Job } from "./job.ts";
import { apptainer } from "./runtimes/apptainer.ts";
import { slurmBundle } from "./runtimes/bundle.ts";
import { charliecloud } from "./runtimes/charliecloud.ts";
import { containerEngine } from "./runtimes/containerEngine.ts";
import { nativeRuntime } from "./runtimes/native.ts";
import { podman, podmanHpc } from "./runtimes/podman.ts";
import { pyxis } from "./runtimes/pyxis.ts";
import { sarus } from "./runtimes/sarus.ts";
import { shifter } from "./runtimes/shifter.ts";
import type { ContainerCommand } from "./runtimes/types.ts";
import { replacesMpi } from "./site.ts";

/**
 * Writes the command.
 *
 * The entrypoint is skipped everywhere: that of our images is a login shell that splits arguments at blanks, and the variables it would
 * set are in the image's configuration as well.
 *
 * @throws SpacktainersError NOT_SUPPORTED for what a runtime cannot do
 */
export function containerCommand(job: Job): ContainerCommand {
  const { runtime } = job;
  if (job.hostMpi && !replacesMpi(runtime))
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${runtime} cannot use the host's MPI instead of the container's`,
      { hint: "leave out --host-mpi: the container's own MPI is used" },
    );
  switch (runtime) {
    case "sarus":
      return sarus(job);
    case "podman":
      return podman(job);
    case "podman-hpc":
      return podmanHpc(job);
    case "native":
      return nativeRuntime(job);
    case "pyxis":
      return pyxis(job);
    case "container-engine":
      return containerEngine(job);
    case "shifter":
      return shifter(job);
    case "charliecloud":
      return charliecloud(job);
    case "slurm":
      return slurmBundle(job);
    case "docker":
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "containers of Docker are not processes of the job that starts them",
        { hint: "let `runtime:` of the site be apptainer, sarus, podman or native" },
      );
    default:
      return apptainer(runtime, job);
  }
}
