/** The spec that satisfies two at once. With Spack's answers. */
import type { AbstractSpec } from "./abstract.ts";
import { thaw } from "./node.ts";
import { constrainNode } from "./nodeConstrain.ts";
import { relationOf, type SatisfiesOptions } from "./satisfies.ts";

/**
 * `a` with the conditions of `b` added (Spack's `Spec.constrain`).
 * @throws SpacktainersError SPEC_CONTRADICTION naming the part of the two that cannot be had together
 */
export function constrain(a: AbstractSpec, b: AbstractSpec, options: SatisfiesOptions): AbstractSpec {
  const result = thaw(a);
  constrainNode(result, b, relationOf(options));
  return result;
}
