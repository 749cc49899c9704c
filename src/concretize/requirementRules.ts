/**
 * What `packages:` says of one package, as Spack applies it to reused specs: whether each requirement is kept, and at what
 * weight. A requirement has the weight of the option that holds, its position. `prefer: [x]` is the requirement `any_of: [x,
 * anything]`, and `conflict: [x]` is `one_of: [x, anything]`.
 */
import type { Environment, PackageSettings, PlacedSpec, Requirement } from "../environment/types.ts";
import type { AbstractEdge, AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { formatSpec } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { satisfies } from "../spec/satisfies.ts";
import type { Place } from "../util/errors.ts";
import { compilers, runtimes } from "./packageKinds.ts";

/** A constraint that a package of the cache does not keep. */
export interface Violation {
  /** In the user's words. */
  readonly text: string;
  readonly place: Place | undefined;
  /** The package concerned. */
  readonly spec: ConcreteSpec;
  /** The platform's target, where that is what keeps the package out. */
  readonly target?: string | undefined;
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

/** True if a package of the caches satisfies a constraint. */
export type Satisfied = (spec: ConcreteSpec, constraint: AbstractSpec) => boolean;

/** Sections of `packages:` that constrain. */
type Section = "require" | "prefer" | "conflict";

/**
 * Judges packages. The settings of a package replace, section by section, those of all packages.
 *
 * @returns the verdict on a package, and that on a package as the provider of a virtual
 */
export function requirementRules(environment: Environment, satisfied: Satisfied) {
  const { dialect } = environment;
  const anything: PlacedSpec = { text: "@:", spec: parseSpec("", { dialect }), place: {} };

  function settingsOf(name: string, section: Section): PackageSettings {
    const own = environment.packages.get(name);
    return own !== undefined && own[section].length > 0 ? own : environment.all;
  }

  /** Settings of all packages are left out where they make no sense for a package. */
  function optionsFor(spec: ConcreteSpec, { options }: Requirement, settings: PackageSettings) {
    if (settings !== environment.all) return options;
    // Compilers and run-time libraries are not built with what others are built with.
    const special = dialect === "1.x" && (runtimes.has(spec.name) || compilers.has(spec.name));
    return options.filter(
      (option) => applies(option, spec) && !(special && option.spec.dependencies.length > 0),
    );
  }

  /** The position of the option that holds; -1 if none may, undefined if the requirement does not apply. */
  function position(
    spec: ConcreteSpec,
    requirement: Requirement,
    options: readonly PlacedSpec[],
  ): number | undefined {
    const { when, policy } = requirement;
    if (when !== undefined && !satisfied(spec, when.spec)) return undefined;
    if (options.length === 0) return undefined;
    const holding = options.flatMap((option, index) => (satisfied(spec, option.spec) ? index : []));
    const [first] = holding;
    if (first === undefined) return -1;
    if (policy === "any_of" || holding.length === 1) return first;
    // A direct dependency (`%gcc`) of 1.x need not count as asked for: it can be left aside for the others.
    const definite = holding.filter((index) => !isOptional(options[index]));
    return definite.length > 1 ? -1 : (definite[0] ?? first);
  }

  function isOptional(option: PlacedSpec | undefined): boolean {
    return dialect === "1.x" && option !== undefined && option.spec.dependencies.some((edge) => edge.direct);
  }

  /** The direct dependencies that are asked for anyway, so that a conflict with them cannot be left aside. */
  function demanded(name: string): readonly string[] {
    const required = settingsOf(name, "require").require.flatMap(({ options, when }) =>
      options.length === 1 && when === undefined ? options.map((option) => option.spec) : [],
    );
    return [...namedSpecs(name), ...required].flatMap((spec) => directParts(spec.dependencies));
  }

  /**
   * Whether a conflict that holds is one to Spack. One with a direct dependency is none as long as nothing asks for that
   * dependency; but one with a condition costs more than building what does not fulfil the condition.
   */
  function counts({ spec }: PlacedSpec, when: PlacedSpec | undefined, name: string): boolean {
    const parts = dialect === "1.x" ? directParts(spec.dependencies) : [];
    if (parts.length === 0) return true;
    const asked = demanded(name);
    if (parts.every((part) => asked.includes(part))) return true;
    return when !== undefined && !namedSpecs(name).some((each) => satisfies(each, when.spec, { dialect }));
  }

  /** What the user says of a package in specs. */
  function namedSpecs(name: string): readonly AbstractSpec[] {
    return environment.specs
      .flatMap(({ spec }) => [spec, ...spec.dependencies.map((edge) => edge.spec)])
      .filter((spec) => spec.name === name);
  }

  function directParts(edges: readonly AbstractEdge[]): readonly string[] {
    return edges.flatMap((edge) => {
      if (!edge.direct) return [];
      const { name = "" } = edge.spec;
      const whole = formatSpec({ ...edge.spec, name: undefined }, dialect);
      return [
        name,
        ...(whole === "" ? [] : [`${name}${whole}`]),
        ...edge.virtuals.map((virtual) => `${virtual}=${name}`),
      ];
    });
  }

  function judgeBy(
    spec: ConcreteSpec,
    settings: Readonly<Record<Section, PackageSettings>>,
    name: string,
  ): Verdict {
    const violations: Violation[] = [];
    const unmet: UnmetPreference[] = [];
    let weight = 0;
    const refuse = (text: string, place: Place | undefined) => violations.push({ text, place, spec });
    const { require, prefer, conflict } = settings;
    for (const requirement of require.require) {
      const options = optionsFor(spec, requirement, require);
      const at = position(spec, requirement, options);
      if (at === undefined) continue;
      if (at < 0)
        refuse(
          requirement.message ?? `\`packages: ${require.name}\` requires ${optionTexts(requirement)}`,
          requirement.place,
        );
      else if (at > 0) unmet.push({ requirement, preferred: options.slice(0, at), settings: require, spec });
      weight += Math.max(0, at);
    }
    for (const { spec: option, when, message } of prefer.prefer) {
      const options = [option, anything];
      const requirement: Requirement = { policy: "any_of", options, when, message, place: option.place };
      const at = position(spec, requirement, optionsFor(spec, requirement, prefer));
      if (at === undefined) continue;
      if (at > 0) unmet.push({ requirement, preferred: [option], settings: prefer, spec });
      weight += at;
    }
    for (const { spec: option, when, message } of conflict.conflict) {
      if (when !== undefined && !satisfied(spec, when.spec)) continue;
      if (applies(option, spec) && satisfied(spec, option.spec) && counts(option, when, name))
        refuse(message ?? `\`packages: ${conflict.name}\` refuses \`${option.text}\``, option.place);
      weight += 1;
    }
    return { violations, weight, unmet };
  }

  return {
    /** What `packages:` says of a package. */
    ofPackage: (spec: ConcreteSpec): Verdict =>
      judgeBy(
        spec,
        {
          require: settingsOf(spec.name, "require"),
          prefer: settingsOf(spec.name, "prefer"),
          conflict: settingsOf(spec.name, "conflict"),
        },
        spec.name,
      ),
    /** What `packages: VIRTUAL` says of its provider; undefined when it says nothing. */
    ofProvider: (virtual: string, provider: ConcreteSpec): Verdict | undefined => {
      const settings = environment.packages.get(virtual);
      if (settings === undefined || virtual === provider.name) return undefined;
      return judgeBy(provider, { require: settings, prefer: settings, conflict: settings }, virtual);
    },
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
