/** PMIx tells each rank, and only it, a directory of the node, which the rank's container has to show. */
import type { Job } from "../job.ts";
import type { ContainerCommand } from "./types.ts";
import { wordsOnly } from "./types.ts";

/** Whether ranks meet by PMIx. */
export function usesPmix({ pmi }: Job): boolean {
  return pmi.plugin?.startsWith("pmix") === true;
}

/** A line that puts an option before the others, so that a rank sees the files and sockets of PMIx, which are in `$place`. */
export function pmixBind(option: string): string {
  return `  for place in "$PMIX_SERVER_TMPDIR"; do [ ! -d "$place" ] || set -- "${option}" "$@"; done`;
}

/** Lets a shell of its own start the runtime, where ranks meet by PMIx; the first word is the runtime and its verb. */
export function withPmix(
  job: Job,
  option: string,
  [run = "", ...words]: readonly string[],
): ContainerCommand {
  if (!usesPmix(job)) return wordsOnly([run, ...words]);
  return {
    ...wordsOnly(['sh -c "$rank" rank', ...words]),
    before: [
      "# PMIx keeps files and sockets in a directory of the node.",
      "rank='",
      pmixBind(option),
      `  exec ${run} "$@"`,
      "'",
    ],
  };
}
