/** The spec that satisfies two at once. With Spack's answers. */
import { SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec } from "./abstract.ts";
import type { SatisfiesOptions } from "./satisfies.ts";

/**
 * `a` with the conditions of `b` added (Spack's `Spec.constrain`).
 * @throws SpacktainersError SPEC_CONTRADICTION naming the part of the two that cannot be had together
 */
export function constrain(_a: AbstractSpec, _b: AbstractSpec, _options: SatisfiesOptions): AbstractSpec {
  throw new SpacktainersError("NOT_SUPPORTED", "constrain is not there yet");
}
