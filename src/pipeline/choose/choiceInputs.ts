import type { TargetPlatform } from "../../concretize/rules.ts";
import type { Environment, PackageSettings, PlacedSpec } from "../../environment/types.ts";
import { type Digest, digestOf } from "../../util/digest.ts";
import type { Json } from "../../util/json.ts";

const text = (placed: PlacedSpec): string => placed.text;

/** What one entry of `packages:` says, without places. */
function settingsOf(settings: PackageSettings): Json {
  return {
    require: settings.require.map(({ policy, options, when }) => [
      policy,
      options.map(text),
      when?.text ?? null,
    ]),
    prefer: settings.prefer.map(({ spec, when }) => [spec.text, when?.text ?? null]),
    conflict: settings.conflict.map(({ spec, when }) => [spec.text, when?.text ?? null]),
    variants: settings.variants.map(text),
    versions: settings.versions.map((version) => version.text),
    targets: settings.targets.map((target) => target.text),
    compilers: settings.compilers.map(text),
    providers: [...settings.providers]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([virtual, specs]) => [virtual, specs.map(text)]),
    buildable: settings.buildable ?? null,
    externals: settings.externals.map(({ spec, prefix }) => [spec.text, prefix ?? null]),
  };
}

/**
 * Digest of everything other than the list of specs and the caches that decides which packages are chosen: `packages:`,
 * `concretizer:` and the platform. Comments, layout and views do not change it.
 */
export function choiceInputs(environment: Environment, platform: TargetPlatform): Digest {
  const { packages, all, concretizer } = environment;
  const inputs: Json = {
    target: platform.target,
    os: platform.os ?? null,
    unify: concretizer.unify,
    granularity: concretizer.granularity ?? null,
    ...(concretizer.reuse.length === 0
      ? {}
      : { reuse: concretizer.reuse.map(({ include, exclude }) => [include.map(text), exclude.map(text)]) }),
    all: settingsOf(all),
    packages: [...packages]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, settings]) => [name, settingsOf(settings)]),
  };
  return digestOf(JSON.stringify(inputs));
}
