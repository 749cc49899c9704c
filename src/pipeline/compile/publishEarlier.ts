import { builtCaches } from "../../spack/folders.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import type { Publish } from "./builder.ts";
import type { NeededPackages } from "./neededPackages.ts";

/**
 * Publishes what was built in earlier runs and did not get any further than this machine's build cache.
 *
 * @param trust as in `Building`
 * @throws what `publish` throws
 */
export async function publishEarlier(
  { cached }: NeededPackages,
  trust: string,
  publish: Publish,
  emit: EmitEvent,
): Promise<void> {
  const folders = Object.values(builtCaches(trust));
  for (const { spec, cacheUrl } of cached.values()) {
    const folder = folders.find((each) => cacheUrl === each || cacheUrl === `file://${each}`);
    if (folder !== undefined)
      await runTask(emit, { kind: "push", label: briefSpec(spec), subject: spec.hash }, () =>
        publish(spec, folder),
      );
  }
}
