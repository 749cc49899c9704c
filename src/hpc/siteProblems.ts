import { didYouMean } from "../definitions/nearest.ts";
import type { SiteConfiguration } from "../definitions/siteConfiguration.ts";
import { parseBind } from "../run/containerProcess.ts";
import { microarchitectures } from "../spec/data/microarchitectures.ts";
import { microarchitecture } from "../spec/microarchitecture.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { isSeparator, jobOptions, parseSbatchOption, type SbatchOption } from "./sbatchOptions.ts";
import { asList } from "./site.ts";

/**
 * What the schema cannot say about a site: names of processors, binds, options of `sbatch`, keys that only some runtimes have.
 * @param placeOf where a value stands, by its path in the site
 */
export function siteProblems(
  site: SiteConfiguration,
  placeOf: (path: readonly PropertyKey[]) => Place,
): readonly SpacktainersError[] {
  const problems: SpacktainersError[] = [];
  const targets: (readonly [string, readonly PropertyKey[]])[] = [
    ...(site.target === undefined ? [] : [[site.target, ["target"]] as const]),
    ...(site.targets ?? []).map(({ target }, at) => [target, ["targets", at, "target"]] as const),
  ];
  for (const [target, path] of targets) {
    if (microarchitecture(target) !== undefined) continue;
    const hint =
      didYouMean(target, Object.keys(microarchitectures)) ?? "`spack arch --known-targets` lists them";
    problems.push(
      new SpacktainersError("CONFIG_INVALID", `\`${target}\` is not a microarchitecture`, {
        place: placeOf(path),
        hint,
      }),
    );
  }
  for (const [at, bind] of asList(site.binds).entries())
    try {
      parseBind(bind, "/");
    } catch (error) {
      const { message } = asSpacktainersError(error);
      problems.push(new SpacktainersError("CONFIG_INVALID", message, { place: placeOf(["binds", at]) }));
    }
  const before: SbatchOption[] = [];
  for (const [at, option] of asList(site.sbatch).entries())
    try {
      const parsed = parseSbatchOption(option);
      // What follows `hetjob` may be called like an option of the job's own.
      if (!before.some(isSeparator)) jobOptions([parsed], []);
      before.push(parsed);
    } catch (error) {
      const { message, hint } = asSpacktainersError(error);
      problems.push(
        new SpacktainersError("CONFIG_INVALID", message, {
          place: placeOf(["sbatch", at]),
          hint,
        }),
      );
    }
  if (site.annotations !== undefined && site.runtime !== "container-engine")
    problems.push(
      new SpacktainersError("CONFIG_INVALID", "only `runtime: container-engine` has annotations", {
        place: placeOf(["annotations"]),
      }),
    );
  return problems;
}
