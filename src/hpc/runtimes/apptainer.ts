import { shellLine } from "../../util/shellQuote.ts";
import type { Job } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { withPmix } from "./pmix.ts";
import type { ContainerCommand } from "./types.ts";

/** Apptainer, and Singularity. */
export function apptainer(runtime: "apptainer" | "singularity", job: Job): ContainerCommand {
  return withPmix(job, "--bind=$place", [
    // Binds that the machine's configuration has as well are no news to whoever starts a program by hand.
    job.interactive === true ? `${runtime} --silent exec` : `${runtime} exec`,
    ...(job.shareNamespaces && runtime === "apptainer" ? ["--sharens"] : []),
    ...(job.plainHttp ? ["--no-https"] : []),
    ...(job.gpu === undefined ? [] : [job.gpu === "nvidia" ? "--nv" : "--rocm"]),
    ...job.binds.map((bind) => {
      refusePaths(bind, /[,:\\]/, `${runtime} --bind cannot take`, "a comma, colon or backslash");
      const same = bind.source === bind.target && !bind.readOnly;
      const target = same ? "" : `:${shellPath(bind.target)}`;
      return `--bind=${shellPath(bind.source)}${target}${bind.readOnly ? ":ro" : ""}`;
    }),
    `--pwd=${shellPath(job.workdir)}`,
    shellPath(job.image),
    shellLine(job.command),
  ]);
}
