import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import type { Job, JobBind } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { isPath } from "./enrootImage.ts";
import type { ContainerCommand } from "./types.ts";

/**
 * Slurm's own containers: `srun --container=BUNDLE`, a directory with `rootfs` and `config.json` (OCI runtime specification), which the
 * runtime of the site's `oci.conf` starts. What is bound is in the bundle alone. Source: Slurm's containers guide.
 */
export function slurmBundle(job: Job): ContainerCommand {
  const refuse = (what: string): never => {
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `Slurm's own containers have ${what} by the bundle's config.json`,
      {
        hint: "write it there, or choose another runtime for the site",
      },
    );
  };
  if (!isPath(job.image) || /\.(?:sif|sqsh|squashfs|sqfs)$/.test(job.image))
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `\`srun --container\` takes the directory of an OCI bundle, not ${job.image}`,
      { hint: "`umoci unpack --rootless --image DIR:TAG BUNDLE` makes one of an OCI layout" },
    );
  if (job.gpu !== undefined) refuse("devices");
  if (job.binds.some((bind) => !isWorkdir(bind, job))) refuse("binds");
  return {
    before: [],
    srun: [`--container=${shellPath(job.image)}`],
    words: [shellLine(job.command)],
    sbatch: [],
  };
}

/** The bind that every job has of where it starts: a bundle starts where its own configuration says. */
function isWorkdir({ source, target, readOnly }: JobBind, { workdir }: Job): boolean {
  return source === workdir && target === workdir && !readOnly;
}
