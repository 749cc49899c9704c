import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { givenVariables, type Job, type JobBind } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { isPath } from "./enrootImage.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/**
 * Shifter, of NERSC. Image and volumes are options of the job, so that Slurm makes the container once a node, before it starts; where
 * a variable is in them, which `sbatch` would not fill in, they are options of each rank's `shifter`. The site mounts home and scratch by itself, and
 * volumes need a place in the image that is there, so that the working directory is not bound. Source: Shifter's documentation of Slurm.
 */
export function shifter(job: Job): ContainerCommand {
  if (isPath(job.image))
    throw new SpacktainersError("NOT_SUPPORTED", `Shifter runs images by their names, not ${job.image}`, {
      hint: "shifterimg pull docker:HOST/PATH:TAG, or `spacktainers pull --with shifter`",
    });
  if (job.gpu === "rocm")
    throw new SpacktainersError("NOT_SUPPORTED", "Shifter's sites have a module for NVIDIA's drivers only");
  const image = `docker:${job.image.replace(/^docker:(?:\/\/)?/, "")}`;
  const volumes = job.binds.filter((bind) => !isOwnPlace(bind, job));
  for (const bind of volumes)
    refusePaths(bind, /[:;,]/, "shifter --volume cannot take", "a colon, comma or semicolon");
  const flags = ({ readOnly }: JobBind): string => (readOnly ? ":ro" : "");
  const modules = [...(job.hostMpi ? ["mpich"] : []), ...(job.gpu === "nvidia" ? ["gpu"] : [])];
  // Who starts a program by hand has no job that could say it.
  const isFixed =
    job.interactive !== true && volumes.every(({ source, target }) => !/\$[A-Za-z_{]/.test(source + target));
  return {
    ...wordsOnly([
      "shifter",
      ...(isFixed
        ? []
        : [
            `--image=${image}`,
            ...volumes.map(
              (bind) => `--volume=${shellPath(bind.source)}:${shellPath(bind.target)}${flags(bind)}`,
            ),
          ]),
      // Without it the site's default modules are loaded, and MPI is among them.
      `--module=${modules.length > 0 ? modules.join(",") : "none"}`,
      `--workdir=${shellPath(job.workdir)}`,
      // The rest of the job's variables the program has by itself, but for what the image sets. Values would be seen by everybody here.
      ...givenVariables(job).map((name) => `--env=${name}="\${${name}-}"`),
      "--",
      shellLine(job.command),
    ]),
    sbatch: isFixed
      ? [
          ["image", image],
          ...volumes.map((bind) => ["volume", `${bind.source}:${bind.target}${flags(bind)}`] as const),
        ]
      : [],
  };
}

/** The working directory at its own place, which the site shows anyway. */
function isOwnPlace({ source, target, readOnly }: JobBind, { workdir }: Job): boolean {
  return source === target && target === workdir && !readOnly;
}
