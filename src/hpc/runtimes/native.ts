import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { type Job, jobVariables } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/** Our own runner passes on what the launcher gave it, and nothing else unless it is named. */
export function nativeRuntime(job: Job): ContainerCommand {
  if (job.gpu !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "spacktainers' own runner cannot give a container the drivers of a graphics processor",
    );
  return wordsOnly([
    "spacktainers exec --quiet --with namespace",
    ...job.binds.map((bind) => {
      refusePaths(bind, /:/, "--bind cannot take", "a colon");
      return `--bind ${shellPath(bind.source)}:${shellPath(bind.target)}${bind.readOnly ? ":ro" : ""}`;
    }),
    ...jobVariables(job).map((name) => `--env ${name}`),
    `--workdir ${shellPath(job.workdir)}`,
    shellPath(job.image),
    "--",
    shellLine(job.command),
  ]);
}
