/** Can one spec satisfy two at once? With Spack's answers. */
import { SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec } from "./abstract.ts";
import type { SatisfiesOptions } from "./satisfies.ts";

/** True if there could be a spec that satisfies both (Spack's `Spec.intersects` on abstract specs). */
export function intersects(_a: AbstractSpec, _b: AbstractSpec, _options: SatisfiesOptions): boolean {
  throw new SpacktainersError("NOT_SUPPORTED", "intersects is not there yet");
}
