import { includedRoots } from "../../environment/includedEnvironments.ts";
import type { Environment } from "../../environment/types.ts";
import { SpacktainersError } from "../../util/errors.ts";

/** True for an environment that asks for nothing, neither itself nor by an included one. */
export function hasNoSpecs({ specs, included }: Environment): boolean {
  return specs.length === 0 && includedRoots(included).length === 0;
}

/** What is wrong with an environment that asks for nothing: an image would have no packages, and no version. */
export function noSpecs(file: string): SpacktainersError {
  return new SpacktainersError("MANIFEST_INVALID", "the environment has no specs", {
    place: { file },
    hint: "list at least one spec under `spack: specs:`",
  });
}
