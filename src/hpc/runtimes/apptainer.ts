import { shellLine } from "../../util/shellQuote.ts";
import type { Job } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { withPmix } from "./pmix.ts";
import type { ContainerCommand } from "./types.ts";

/** Apptainer, and Singularity. An image in a registry becomes a file before the ranks start: each of them would convert it otherwise. */
export function apptainer(runtime: "apptainer" | "singularity", job: Job): ContainerCommand {
  const isRemote = /^(?:docker|oras|library|shub|https?):\/\//.test(job.image);
  const command = ranks(runtime, job, isRemote ? '"$image"' : shellPath(job.image));
  if (!isRemote) return command;
  return {
    ...command,
    before: [
      "# One file for all ranks, for the time of the job.",
      "image=$SLURM_SUBMIT_DIR/.spacktainers-$SLURM_JOB_ID.sif",
      `trap 'rm -f "$image"' EXIT`,
      `${runtime} pull --force ${job.plainHttp ? "--no-https " : ""}"$image" ${shellPath(job.image)}`,
      ...command.before,
    ],
  };
}

function ranks(runtime: "apptainer" | "singularity", job: Job, image: string): ContainerCommand {
  return withPmix(job, "--bind=$place", [
    // Binds that the machine's configuration has as well are no news to whoever starts a program by hand.
    job.interactive === true ? `${runtime} --silent exec` : `${runtime} exec`,
    ...(job.shareNamespaces && runtime === "apptainer" ? ["--sharens"] : []),
    ...(job.gpu === undefined ? [] : [job.gpu === "nvidia" ? "--nv" : "--rocm"]),
    ...job.binds.map((bind) => {
      refusePaths(bind, /[,:\\]/, `${runtime} --bind cannot take`, "a comma, colon or backslash");
      const same = bind.source === bind.target && !bind.readOnly;
      const target = same ? "" : `:${shellPath(bind.target)}`;
      return `--bind=${shellPath(bind.source)}${target}${bind.readOnly ? ":ro" : ""}`;
    }),
    `--pwd=${shellPath(job.workdir)}`,
    image,
    shellLine(job.command),
  ]);
}
