import { loadVariantDefaults, type VariantDefaultsFile } from "../../concretize/variantDefaults.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * The default values of variants, and licences, that the configuration names a file of; undefined when it names none.
 *
 * @throws {SpacktainersError} `CONFIG_INVALID` when there is no such file, or it is not one
 */
export async function configuredVariantDefaults({
  spack,
}: Pick<Configuration, "spack">): Promise<VariantDefaultsFile | undefined> {
  const { facts } = spack;
  if (facts === undefined) return undefined;
  try {
    return await loadVariantDefaults(facts.path);
  } catch (thrown) {
    if (!(thrown instanceof SpacktainersError) || thrown.code !== "NOT_FOUND") throw thrown;
    throw new SpacktainersError("CONFIG_INVALID", `the recipe facts ${facts.path} do not exist`, {
      place: facts.place,
      hint: "write them: spack python scripts/export-recipe-facts.py > FILE",
      cause: thrown,
    });
  }
}
