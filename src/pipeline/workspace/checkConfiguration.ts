import type { Configuration } from "../../definitions/configuration.ts";
import { didYouMean } from "../../definitions/nearest.ts";
import { siteProblems } from "../../hpc/siteProblems.ts";
import { parseReference } from "../../registry/reference.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { familyOf, targetsOf } from "../../spec/microarchitecture.ts";
import { parseSpec } from "../../spec/parse.ts";
import { projectPath } from "../../spec/projection.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { holdsPath } from "./viewPlace.ts";

/** Families of microarchitectures by the architecture whose images they may be in. */
const families = { amd64: "x86_64", arm64: "aarch64" } as const;

/** A spec that projections are tried with. */
const sample: ConcreteSpec = {
  name: "sample",
  version: "1.0",
  namespace: "builtin",
  hash: "abcdefghijklmnopqrstuvwxyz234567" as DagHash,
  platform: "linux",
  os: "debian12",
  target: "x86_64",
  compiler: { name: "gcc", version: "12.2.0" },
  variants: new Map(),
  flags: new Map(),
  external: undefined,
  packageHash: undefined,
  dependencies: [],
  buildSpec: undefined,
  providedVirtuals: undefined,
  annotations: undefined,
  specfileVersion: 4,
};

/**
 * What is wrong in a configuration that only those who know specs and registries can see: targets, projections, names of
 * images. The schema has been checked before.
 */
export function checkConfiguration(configuration: Configuration): readonly SpacktainersError[] {
  const problems: SpacktainersError[] = [];
  const { placeOf } = configuration;
  for (const arch of ["amd64", "arm64"] as const) {
    const { target } = configuration.platforms[arch];
    if (familyOf(target) === families[arch]) continue;
    problems.push(
      new SpacktainersError("CONFIG_INVALID", `\`${target}\` is not a microarchitecture of ${arch}`, {
        place: placeOf(["platforms", arch, "target"]),
        hint:
          didYouMean(target, targetsOf(families[arch])) ??
          `for example ${families[arch]}${arch === "amd64" ? "_v3" : ""}; \`spack arch --known-targets\` lists them`,
      }),
    );
  }
  for (const [spec, format] of configuration.install.projections ?? []) {
    const place = placeOf(["install", "projections", spec]);
    try {
      if (spec !== "all") parseSpec(spec, { dialect: configuration.spack.dialect ?? "1.x" });
      projectPath(sample, format, new Map([[sample.hash, sample]]));
    } catch (error) {
      const { code, message, hint } = asSpacktainersError(error);
      problems.push(new SpacktainersError(code, message, { place, hint }));
    }
  }
  problems.push(...spackProblems(configuration));
  for (const [name, site] of configuration.sites)
    problems.push(...siteProblems(site, (path) => placeOf(["sites", name, ...path])));
  if (holdsPath(configuration.view.root, configuration.install.root))
    problems.push(
      new SpacktainersError(
        "CONFIG_INVALID",
        "the view would hide the packages: `install: root` is inside of it",
        {
          place: placeOf(["view", "root"]),
          hint: "choose two separate places, such as /opt/view and /opt/software",
        },
      ),
    );
  if (configuration.base.kind === "image")
    try {
      parseReference(configuration.base.reference, placeOf(["base", "image"]));
    } catch (error) {
      problems.push(asSpacktainersError(error));
    }
  return problems;
}

/** Specs of compilers and externals that are none, or do not name a package. */
function spackProblems({ spack }: Pick<Configuration, "spack">): readonly SpacktainersError[] {
  const externals = spack.externals.flatMap((external) => (external.kind === "given" ? [external.spec] : []));
  return [...spack.compilers, ...externals].flatMap(({ text, place }): SpacktainersError[] => {
    try {
      const { name } = parseSpec(text, { dialect: spack.dialect ?? "1.x" });
      return name === undefined
        ? [new SpacktainersError("CONFIG_INVALID", `\`${text}\` does not name a package`, { place })]
        : [];
    } catch (error) {
      const { code, message, hint } = asSpacktainersError(error);
      return [new SpacktainersError(code, message, { place, hint })];
    }
  });
}
