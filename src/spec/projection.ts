/** Spack's format strings as paths below an install tree or a view. */
import { SpacktainersError } from "../util/errors.ts";
import type { ConcreteSpec, SpecGraph } from "./concrete.ts";

/** The default projection of the install tree of the Spack generation that writes this version of spec files. */
export function defaultProjection(specfileVersion: number): string {
  return specfileVersion <= 4
    ? "{architecture}/{compiler.name}-{compiler.version}/{name}-{version}-{hash}"
    : "{architecture.platform}-{architecture.target}/{name}-{version}-{hash}";
}

/**
 * The relative path of a spec by a projection such as `{name}-{version}-{hash:7}`; every component sanitised as Spack
 * does. `{^dep.…}` needs the graph.
 * @throws SpacktainersError CONFIG_INVALID for a projection that is malformed, or leads out of the tree
 */
export function projectPath(_spec: ConcreteSpec, _projection: string, _graph?: SpecGraph): string {
  throw new SpacktainersError("NOT_SUPPORTED", "projectPath is not there yet");
}
