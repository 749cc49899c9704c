import { SpacktainersError } from "../../util/errors.ts";
import { shellLine, shellWord } from "../../util/shellQuote.ts";
import { type Job, jobVariables } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { enrootImage, isPath } from "./enrootImage.ts";
import type { ContainerCommand } from "./types.ts";

/**
 * pyxis, NVIDIA's plug-in of Slurm: enroot makes one container a node, which the ranks share, by options of `srun`. The
 * launcher's variables and directories come by enroot's hook `50-slurm-pmi.sh`, which the site has to have. Source: pyxis' README and args.c.
 */
export function pyxis(job: Job): ContainerCommand {
  if (job.gpu === "rocm")
    throw new SpacktainersError("NOT_SUPPORTED", "enroot has a hook for NVIDIA's drivers only");
  const mounts = job.binds.map((bind) => {
    refusePaths(bind, /[,:]/, "pyxis cannot mount", "a comma or colon");
    return `${shellPath(bind.source)}:${shellPath(bind.target)}${bind.readOnly ? ":ro" : ""}`;
  });
  const gpu = job.gpu === "nvidia" ? ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"] : [];
  // The image's own variables override the job's, except for those that are named.
  const named = [...jobVariables(job), ...gpu];
  const image = enrootImage(job.image);
  return {
    before: [
      ...(job.plainHttp ? ["export ENROOT_ALLOW_HTTP=y"] : []),
      // Slurm shows a step the GPUs that it was given.
      ...(job.gpu === "nvidia"
        ? ["export NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
        : []),
    ],
    srun: [
      `--container-image=${isPath(image) ? shellPath(image) : shellWord(image)}`,
      ...(mounts.length > 0 ? [`--container-mounts=${mounts.join(",")}`] : []),
      `--container-workdir=${shellPath(job.workdir)}`,
      // Whatever the site's configuration says: PMIx knows its ranks by their user, and the entrypoint takes arguments apart.
      "--no-container-remap-root",
      "--no-container-entrypoint",
      ...(named.length > 0 ? [`--container-env=${named.join(",")}`] : []),
    ],
    words: [shellLine(job.command)],
    sbatch: [],
  };
}
