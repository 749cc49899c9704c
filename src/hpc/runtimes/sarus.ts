import { shellLine } from "../../util/shellQuote.ts";
import { type Job, jobVariables } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { withPmix } from "./pmix.ts";
import type { ContainerCommand } from "./types.ts";

/** Sarus. Source: its user guide, release 1.7. */
export function sarus(job: Job): ContainerCommand {
  return withPmix(job, "--mount=type=bind,source=$place,destination=$place", [
    job.hostMpi ? "sarus run --mpi" : "sarus run",
    ...job.binds.map((bind) => {
      refusePaths(bind, /[,"]/, "Sarus cannot bind", "a comma or quote");
      return `--mount=type=bind,source=${shellPath(bind.source)},destination=${shellPath(bind.target)}${bind.readOnly ? ",readonly" : ""}`;
    }),
    // They are in the job's environment, which Sarus passes on; only over the image's own they must be named.
    ...jobVariables(job).map((name) => `--env=${name}`),
    `--workdir=${shellPath(job.workdir)}`,
    "--entrypoint ''",
    shellPath(job.image),
    shellLine(job.command),
  ]);
}
