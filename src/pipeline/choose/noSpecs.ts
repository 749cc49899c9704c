import { SpacktainersError } from "../../util/errors.ts";

/** What is wrong with an environment that asks for nothing: an image would have no packages, and no version. */
export function noSpecs(file: string): SpacktainersError {
  return new SpacktainersError("MANIFEST_INVALID", "the environment has no specs", {
    place: { file },
    hint: "list at least one spec under `spack: specs:`",
  });
}
