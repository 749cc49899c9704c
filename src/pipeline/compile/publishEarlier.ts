import { builtCaches } from "../../spack/folders.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { errorsOf, type SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import type { Publish } from "./builder.ts";
import type { NeededPackages } from "./neededPackages.ts";

/**
 * Publishes what was built in earlier runs and did not get any further than this machine's build cache.
 *
 * @param trust as in `Building`
 * @returns what could not be published and why: it is kept, and what has to be built can be built all the same
 */
export async function publishEarlier(
  { cached }: NeededPackages,
  trust: string,
  publish: Publish,
  emit: EmitEvent,
): Promise<readonly SpacktainersError[]> {
  const errors: SpacktainersError[] = [];
  const folders = Object.values(builtCaches(trust));
  for (const { spec, cacheUrl } of cached.values()) {
    const folder = folders.find((each) => cacheUrl === each || cacheUrl === `file://${each}`);
    if (folder !== undefined)
      await runTask(emit, { kind: "push", label: briefSpec(spec), subject: spec.hash }, () =>
        publish.put(spec, folder),
      ).catch((thrown: unknown) => errors.push(...errorsOf(thrown, { spec: briefSpec(spec) })));
  }
  return errors;
}
