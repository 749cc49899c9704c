/**
 * The environment's constraints on every package of a solution, as Spack applies them to reused specs.
 *
 * What `packages:` says of a package replaces, section by section (`require`, `prefer`, `conflict`), what it says of
 * `all`. A requirement has a weight: the position of the option that holds. Spack minimizes the sum of weights before
 * anything else, so `prefer: [x]` is the requirement `any_of: [x, anything]`, and `conflict: [x]` is
 * `one_of: [x, anything]`.
 */
import type { Environment, PackageSettings, PlacedSpec, Requirement } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { isAtLeast } from "../spec/microarchitecture.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import type { Place } from "../util/errors.ts";
import { runEdges } from "./closures.ts";
import type { PackageSource } from "./packageSource.ts";

/** What packages may be made for. */
export interface TargetPlatform {
  /** Newest microarchitecture. */
  readonly target: string;
  /** Operating system that packages must be built on; undefined: any, but one for all. */
  readonly os?: string | undefined;
}

/** A constraint that a package of the cache does not keep. */
export interface Violation {
  /** In the user's words. */
  readonly text: string;
  readonly place: Place | undefined;
  /** The package concerned. */
  readonly spec: ConcreteSpec;
  /** The platform's target, where that is what keeps the package out. */
  readonly target?: string;
}

/** A requirement that holds, but not by its first option. */
export interface UnmetPreference {
  readonly requirement: Requirement;
  /** The options that are preferred to the one that holds. */
  readonly preferred: readonly PlacedSpec[];
  readonly settings: PackageSettings;
  readonly spec: ConcreteSpec;
}

/** The verdict on one package. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** Sum of the weights of its requirements. */
  readonly weight: number;
  readonly unmet: readonly UnmetPreference[];
}

/** Judges packages of a source by the rules of an environment; each package is judged once. */
export function environmentRules(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
): (spec: ConcreteSpec) => Verdict {
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const satisfied = (spec: ConcreteSpec, constraint: AbstractSpec) =>
    concreteSatisfies(lookup, spec.hash, constraint, { dialect });
  const anything: PlacedSpec = { text: "@:", spec: parseSpec("", { dialect }), place: {} };
  const known = new Map<DagHash, Verdict>();

  function judge(spec: ConcreteSpec): Verdict {
    const violations: Violation[] = [];
    const unmet: UnmetPreference[] = [];
    let weight = 0;
    const refuse = (text: string, place?: Place) => void violations.push({ text, place, spec });
    if (spec.platform !== "linux") refuse(`packages for ${spec.platform} cannot be used`);
    else if (!isAtLeast(platform.target, spec.target))
      violations.push({
        text: `the platform is ${platform.target}`,
        place: undefined,
        spec,
        target: platform.target,
      });
    if (platform.os !== undefined && spec.os !== platform.os)
      refuse(`the platform's system is ${platform.os}`);

    const left = reuseRefusal(spec);
    if (left !== undefined) refuse(left.text, left.place);

    const own = environment.packages.get(spec.name);
    const settingsFor = (section: "require" | "prefer" | "conflict"): PackageSettings =>
      own !== undefined && own[section].length > 0 ? own : environment.all;

    const required = settingsFor("require");
    for (const requirement of required.require) {
      const verdict = holds(spec, requirement, required);
      if (verdict === undefined) continue;
      if (verdict < 0)
        refuse(
          requirement.message ?? `\`packages: ${required.name}\` requires ${optionTexts(requirement)}`,
          requirement.place,
        );
      else if (verdict > 0)
        unmet.push({
          requirement,
          preferred: optionsFor(spec, requirement, required).slice(0, verdict),
          settings: required,
          spec,
        });
      weight += Math.max(0, verdict);
    }
    const preferred = settingsFor("prefer");
    for (const { spec: option, when, message } of preferred.prefer) {
      const requirement: Requirement = {
        policy: "any_of",
        options: [option, anything],
        when,
        message,
        place: option.place,
      };
      const verdict = holds(spec, requirement, preferred);
      if (verdict === undefined) continue;
      if (verdict > 0) unmet.push({ requirement, preferred: [option], settings: preferred, spec });
      weight += verdict;
    }
    const refused = settingsFor("conflict");
    for (const { spec: option, when, message } of refused.conflict) {
      if (when !== undefined && !satisfied(spec, when.spec)) continue;
      if (applies(option, spec) && satisfied(spec, option.spec))
        refuse(message ?? `\`packages: ${refused.name}\` refuses \`${option.text}\``, option.place);
      weight += 1;
    }
    for (const edge of runEdges(spec))
      for (const virtual of edge.virtuals) {
        const provider = source.spec(edge.hash);
        if (provider !== undefined)
          for (const violation of judgeProvider(virtual, provider)) violations.push(violation);
      }
    return { violations, weight, unmet };
  }

  /** Why `concretizer: reuse` leaves a package out. As in Spack, not said of externals and the run-time library of GCC. */
  function reuseRefusal(spec: ConcreteSpec): { readonly text: string; readonly place?: Place } | undefined {
    const filters = environment.concretizer.reuse;
    if (filters.length === 0 || spec.external !== undefined || spec.name === "gcc-runtime") return undefined;
    let reason: { readonly text: string; readonly place?: Place } | undefined;
    for (const { include, exclude } of filters) {
      const excluded = exclude.find((each) => satisfied(spec, each.spec));
      const included = include.length === 0 || include.some((each) => satisfied(spec, each.spec));
      if (included && excluded === undefined) return undefined;
      reason ??=
        excluded !== undefined
          ? { text: `\`concretizer: reuse\` excludes \`${excluded.text}\``, place: excluded.place }
          : {
              text: `\`concretizer: reuse\` includes only ${include.map((each) => `\`${each.text}\``).join(", ")}`,
            };
    }
    return reason;
  }

  /** What `packages: <virtual>: require` says of a provider. */
  function judgeProvider(virtual: string, provider: ConcreteSpec): readonly Violation[] {
    const settings = environment.packages.get(virtual);
    if (settings === undefined || virtual === provider.name) return [];
    return settings.require.flatMap((requirement) => {
      if (requirement.when !== undefined && !satisfied(provider, requirement.when.spec)) return [];
      const met = requirement.options.some(({ spec }) => satisfied(provider, spec));
      const text = requirement.message ?? `\`packages: ${virtual}\` requires ${optionTexts(requirement)}`;
      return met ? [] : [{ text, place: requirement.place, spec: provider }];
    });
  }

  /** What is said of all packages is left out where it makes no sense for a package. */
  function optionsFor(spec: ConcreteSpec, { options }: Requirement, settings: PackageSettings) {
    return settings === environment.all ? options.filter((option) => applies(option, spec)) : options;
  }

  /** The weight of the option that holds; -1 if the requirement is not kept, undefined if it does not apply. */
  function holds(
    spec: ConcreteSpec,
    requirement: Requirement,
    settings: PackageSettings,
  ): number | undefined {
    const { when, policy } = requirement;
    if (when !== undefined && !satisfied(spec, when.spec)) return undefined;
    const options = optionsFor(spec, requirement, settings);
    if (options.length === 0) return undefined;
    const first = options.findIndex((option) => satisfied(spec, option.spec));
    if (first < 0) return -1;
    if (policy === "one_of" && options.slice(first + 1).some((option) => satisfied(spec, option.spec)))
      return -1;
    return first;
  }

  return (spec) => {
    const before = known.get(spec.hash);
    if (before !== undefined) return before;
    const verdict = judge(spec);
    known.set(spec.hash, verdict);
    return verdict;
  };
}

/** False for an option that speaks of another package or of variants that the package does not have. */
function applies(option: PlacedSpec, spec: ConcreteSpec): boolean {
  if (option.spec.name !== undefined && option.spec.name !== spec.name) return false;
  for (const name of option.spec.variants.keys()) if (!spec.variants.has(name)) return false;
  return true;
}

/** The options in the user's words. */
export function optionTexts({ policy, options }: Requirement): string {
  const texts = options.map(({ text }) => `\`${text}\``);
  if (texts.length === 1) return texts[0] ?? "";
  return `${policy === "one_of" ? "one of" : "any of"} ${texts.join(", ")}`;
}
