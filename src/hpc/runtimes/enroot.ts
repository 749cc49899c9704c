import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { type Job, jobVariables } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/**
 * enroot without pyxis, for a program that `srun` or somebody by hand starts: a squashfs file is mounted, not unpacked. Source: enroot's doc/cmd/start.md.
 *
 * @param startFile file with {@link enrootScript}, on this machine
 */
export function enrootStart(job: Job, startFile: string): ContainerCommand {
  if (!/^[/.$~]/.test(job.image))
    throw new SpacktainersError("NOT_SUPPORTED", `enroot starts squashfs files, not ${job.image}`, {
      hint: "`spacktainers pull NAME --with enroot` makes one; then --image FILE",
    });
  if (job.gpu === "rocm")
    throw new SpacktainersError("NOT_SUPPORTED", "enroot has a hook for NVIDIA's drivers only");
  return {
    ...wordsOnly([
      "enroot start",
      `--rc=${shellPath(startFile)}`,
      ...job.binds.map((bind) => {
        refusePaths(bind, /[:,\s]/, "enroot cannot mount", "a blank, comma or colon");
        return `--mount=${shellPath(bind.source)}:${shellPath(bind.target)}:none:x-create=auto,rbind${bind.readOnly ? ",ro" : ""}`;
      }),
      "--env=SPACKTAINERS_WORKDIR",
      ...(job.gpu === "nvidia" ? ["--env=NVIDIA_VISIBLE_DEVICES --env=NVIDIA_DRIVER_CAPABILITIES"] : []),
      ...jobVariables(job).map((name) => `--env=${name}`),
      shellPath(job.image),
      shellLine(job.command),
    ]),
    before: [
      `export SPACKTAINERS_WORKDIR=${shellPath(job.workdir)}`,
      ...(job.gpu === "nvidia"
        ? ["export NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
        : []),
    ],
  };
}
