/** `ci rebase`: the published images of an environment, put on the newest base. */

import { outcomeErrors, resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import type { EmitEvent } from "../../util/events.ts";
import { rebaseImages } from "../rebase/rebaseImages.ts";
import { environmentNamed, type PublishedImages, type PublishedSif, publishSif } from "./publishImages.ts";

/**
 * Puts all containers of an environment on the base as it is now, and makes new SIF files of those that changed.
 *
 * @throws SpacktainersError USAGE for an environment that there is not; when nothing was tried; INTERRUPTED
 */
export async function rebaseEnvironment(request: {
  readonly directory: string;
  readonly environment: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}): Promise<PublishedImages> {
  const { directory, emit, signal } = request;
  const { configuration } = await openSoundRepository(directory);
  const environment = environmentNamed(configuration.ci, request.environment);
  const outcomes = await rebaseImages({
    directory,
    images: [],
    arch: undefined,
    base: undefined,
    registries: environment.registries ?? [],
    tags: environment.tags,
    outputs: [],
    force: false,
    dryRun: false,
    refresh: true,
    failFast: false,
    emit,
    signal,
  });
  const results = resultsOf(outcomes).flat();
  const rows = results.flatMap(({ pushed }) => pushed);
  const errors = [...outcomeErrors(outcomes), ...rows.flatMap((row) => row.errors)];
  const files: PublishedSif[] = [];
  if (environment.sif !== undefined)
    for (const { name, arch, upToDate, pushed } of results)
      if (!upToDate && pushed.every((row) => row.errors.length === 0))
        files.push(await publishSif(name, environment.sif, { directory, arch, emit, signal }));
  return { rows, files, errors };
}
