/** Whether everything that is left in a cache is whole. */
import { briefSpec, type DagHash } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { StoredNode } from "./prunePlan.ts";

/**
 * Packages that need, at run time, something that was removed: pushed while it was on its way out, by somebody who found it there.
 *
 * @param stored what is there now
 * @param removed what was removed
 */
export function brokenClosures(
  stored: readonly StoredNode[],
  removed: ReadonlySet<DagHash>,
): readonly SpacktainersError[] {
  const there = new Set(stored.map(({ stored: one }) => one.hash));
  return stored.flatMap(({ spec }) => {
    if (spec === undefined) return [];
    const needed = spec.dependencies.filter(
      ({ hash, types }) => (types.has("link") || types.has("run")) && removed.has(hash) && !there.has(hash),
    );
    if (needed.length === 0) return [];
    const names = needed.map(({ name, hash }) => `${name}/${hash.slice(0, 7)}`).join(", ");
    return [
      new SpacktainersError("PACKAGE_NOT_CACHED", `${briefSpec(spec)} needs ${names}, which was removed`, {
        place: { spec: briefSpec(spec) },
        hint: "someone pushed it while the cache was being pruned: push it again, with its dependencies",
      }),
    ];
  });
}
