/** Can one spec satisfy two at once? With Spack's answers. */
import type { AbstractSpec } from "./abstract.ts";
import { relationOf, type SatisfiesOptions } from "./satisfies.ts";
import { specIntersects } from "./specRelations.ts";

/** True if there could be a spec that satisfies both (Spack's `Spec.intersects` on abstract specs). */
export function intersects(a: AbstractSpec, b: AbstractSpec, options: SatisfiesOptions): boolean {
  return specIntersects(a, b, relationOf(options));
}
