import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { givenVariables, type Job } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { refusePaths } from "./bindPaths.ts";
import { isPath } from "./enrootImage.ts";
import { pmixBind, usesPmix } from "./pmix.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/** In the container: where `ch-run` had no variables to set, those of a login shell. */
const startScript = '[ -e /ch/environment ] || . /etc/profile; exec "$@"';

/**
 * Charliecloud: `ch-run` passes descriptors and variables on; the image's variables are in its `/ch/environment`, or, where it was not
 * Charliecloud that made it, come by the files that login shells read. Places for binds are made in a layer above the image, which is not changed. Source: ch-run(1).
 */
export function charliecloud(job: Job): ContainerCommand {
  if (job.gpu !== undefined)
    throw new SpacktainersError("NOT_SUPPORTED", "ch-run brings no drivers of graphics processors", {
      hint: "put them into the image at the site (ch-fromhost --nvidia IMAGE), and leave out --gpu: --sbatch asks for GPUs",
    });
  const image = shellPath(job.image);
  return {
    ...wordsOnly([
      'sh -c "$rank" rank',
      "$above",
      ...(job.shareNamespaces ? ["--join"] : []),
      ...job.binds.map((bind) => {
        refusePaths(bind, /:/, "ch-run --bind cannot take", "a colon");
        if (bind.readOnly)
          throw new SpacktainersError("NOT_SUPPORTED", "ch-run has no binds that cannot be written to", {
            hint: `leave out :ro of ${bind.target}`,
          });
        const target = bind.source === bind.target ? "" : `:${shellPath(bind.target)}`;
        return `--bind=${shellPath(bind.source)}${target}`;
      }),
      // The rest of the job's variables the program has by itself, but for what the image sets. Values would be seen by everybody here.
      ...givenVariables(job).map((name) => `--set-env=${name}="\${${name}-}"`),
      "--env-no-expand",
      `--cd=${shellPath(job.workdir)}`,
      image,
      "--",
      `/bin/sh -c '${startScript}' sh`,
      shellLine(job.command),
    ]),
    before: [
      "# Before release 0.36 Charliecloud has no layer above an image, and places for binds must be in it.",
      'case "$(ch-run --help 2>&1)" in *--write-fake*) above=--write-fake ;; *) above= ;; esac',
      `export CONTAINER_ROOT=${isPath(job.image) ? image : "''"}`,
      "rank='",
      ...(usesPmix(job) ? [pmixBind("--bind=$place")] : []),
      '  if [ -d "$CONTAINER_ROOT" ] && [ ! -e "$CONTAINER_ROOT/ch/environment" ]; then :; else set -- --set-env "$@"; fi',
      '  [ -n "$USER" ] || export USER="$(id -un)"',
      '  exec ch-run "$@"',
      "'",
    ],
  };
}
