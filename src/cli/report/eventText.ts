import { formatPlace } from "../../util/errors.ts";
import type { StageId, TaskKind, WorkEvent } from "../../util/events.ts";

/** What a stage does, as people say it. */
export const stageText: Record<StageId, string> = {
  "choose-packages": "Choosing packages",
  "read-lock": "Reading the lock",
  "look-up-packages": "Looking up packages",
  "prepare-spack": "Preparing Spack",
  "concretize-packages": "Choosing packages with Spack",
  "fetch-build-dependencies": "Fetching what building needs",
  "build-packages": "Building packages",
  "install-packages": "Installing packages",
  "unpack-packages": "Unpacking packages",
  "merge-view": "Merging the view",
  "assemble-image": "Merging the view and checking that everything can run",
  "complete-base": "Looking for libraries that the base lacks",
  "change-base": "Making the base and checking that everything can run on it",
  "write-image": "Writing the image",
  "ask-registries": "Asking the registries",
  "push-image": "Pushing the image",
  "move-tags": "Moving the tags",
  "open-source": "Opening the image it starts from",
  "run-apptainer": "Building with Apptainer",
  "read-layers": "Reading the layers",
  "write-file": "Writing the file",
  "read-file": "Reading the file",
  "push-file": "Pushing the file",
  "verify-packages": "Verifying packages",
  "copy-packages": "Copying packages",
  "list-packages": "Listing packages",
  "remove-packages": "Removing packages",
  "index-packages": "Writing the index",
};

/** The part of the work that runs now, as people say it. */
export function stageTitle(event: Extract<WorkEvent, { type: "stage" | "job" }>): string {
  if (event.type === "stage") return stageText[event.stage];
  const isOurs = event.state === "SUBMITTED" || event.state === "CANCELLED";
  const state = `${isOurs ? " is " : ": "}${event.state.toLowerCase()}`;
  return `Job ${event.job}${state}${event.reason === undefined ? "" : ` (${event.reason})`}`;
}

/** Which container the work is done for; where there are several, which one of how many. */
export function containerTitle(event: Extract<WorkEvent, { type: "container-start" }>): string {
  return event.total === 1 ? event.container : `${event.container}  ${event.position} of ${event.total}`;
}

/** What a running task is doing, as people say it. */
export const taskVerb: Record<TaskKind, string> = {
  index: "reading index",
  lookup: "looking up",
  download: "downloading",
  pull: "pulling",
  push: "pushing",
  install: "installing",
  base: "base",
  check: "checking",
  write: "writing",
  unpack: "unpacking",
  run: "starting",
  compile: "building",
};

/** What a finished task did. */
export const taskDone: Record<TaskKind, string> = {
  index: "read index",
  lookup: "looked up",
  download: "downloaded",
  pull: "pulled",
  push: "pushed",
  install: "installed",
  base: "base",
  check: "checked",
  write: "wrote",
  unpack: "unpacked",
  run: "started",
  compile: "built",
};

/** A warning as one line, with its place in front and its hint behind. */
export function warningText(event: Extract<WorkEvent, { type: "warning" }>): string {
  const place = event.place === undefined ? "" : formatPlace(event.place);
  const hint = event.hint === undefined ? "" : ` (${event.hint})`;
  return `${place === "" ? "" : `${place}  `}warning  ${event.message}${hint}`;
}

/** What this process waits for, as one line. */
export function waitingText({ what, holder }: Extract<WorkEvent, { type: "waiting" }>): string {
  const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
  return `waiting for ${who}, which is ${what}`;
}

/** Why a package could not be built: lines that stay. */
export function buildFailureLines(event: Extract<WorkEvent, { type: "build-failure" }>): readonly string[] {
  const { phase, reason, errors, log, blocked } = event;
  const when = phase === undefined ? "" : ` in its phase ${phase}`;
  const lines = [`${event.package} failed${when}${reason === undefined ? "" : `: ${reason}`}`];
  for (const { line, text, context } of errors) {
    lines.push(`  line ${line} of its log:`);
    for (const each of context) lines.push(`  ${each.trim() === text ? ">" : "|"} ${each}`);
  }
  lines.push(`  the whole log: ${log}`);
  if (blocked.length > 0) lines.push(`  not built because of it: ${blocked.join(", ")}`);
  return lines;
}

/** A retry as one line. */
export function retryText(event: Extract<WorkEvent, { type: "retry" }>): string {
  return `retry ${event.attempt} in ${(event.delayMs / 1000).toFixed(1)} s: ${event.reason} (${event.url})`;
}
