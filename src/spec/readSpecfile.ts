/** Reads concrete specs from Spack's JSON: nodes of indexes and locks, and whole spec files. */
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "./concrete.ts";

/**
 * One node. Cheap: used on single nodes of large indexes.
 * @param json the node dictionary
 * @param specfileVersion 3 to 6
 * @param place where it comes from, for errors
 * @param hash the key under which the node was found, for nodes that do not repeat their hash
 * @throws SpacktainersError CACHE_INVALID when the node is malformed, NOT_SUPPORTED for other versions
 */
export function readNode(
  _json: unknown,
  _specfileVersion: number,
  _place: Place,
  _hash?: DagHash,
): ConcreteSpec {
  throw new SpacktainersError("NOT_SUPPORTED", "readNode is not there yet");
}

/**
 * A spec file: `{"spec": {"_meta": {"version": N}, "nodes": […]}}`, the first node being the root.
 * @throws SpacktainersError CACHE_INVALID when malformed, an edge leads nowhere, or there is a cycle;
 *   NOT_SUPPORTED for versions other than 3 to 6
 */
export function readSpecFile(
  _json: unknown,
  _place: Place,
): { readonly root: ConcreteSpec; readonly graph: SpecGraph } {
  throw new SpacktainersError("NOT_SUPPORTED", "readSpecFile is not there yet");
}
