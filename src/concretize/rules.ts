/**
 * The environment's constraints on every package of a solution, as Spack applies them to reused specs: the platform,
 * `packages:`, `concretizer: reuse` and `develop`.
 */
import type { Environment } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { isAtLeast } from "../spec/microarchitecture.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import type { Place } from "../util/errors.ts";
import { isRuntime, type RunClosure, runEdges } from "./closures.ts";
import { languages } from "./packageKinds.ts";
import type { PackageSource } from "./packageSource.ts";
import { requirementRules, type UnmetPreference, type Verdict, type Violation } from "./requirementRules.ts";

/** What packages may be made for. */
export interface TargetPlatform {
  /** Newest microarchitecture. */
  readonly target: string;
  /** Operating system that packages must be built on; undefined: any, but one for all. */
  readonly os?: string | undefined;
}

/** Judges packages; each is judged once. */
export interface EnvironmentRules {
  /** The verdict on a package that Spack chooses. */
  judge(spec: ConcreteSpec): Verdict;
  /** What speaks against the packages of a closure. */
  violations(closure: RunClosure): readonly Violation[];
}

/** The rules of an environment for the packages of a source. */
export function environmentRules(
  environment: Environment,
  source: PackageSource,
  platform: TargetPlatform,
): EnvironmentRules {
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const satisfied = (spec: ConcreteSpec, constraint: AbstractSpec) =>
    concreteSatisfies(lookup, spec.hash, constraint, { dialect });
  const rules = requirementRules(environment, satisfied);
  const known = new Map<DagHash, Verdict>();

  function unfit(spec: ConcreteSpec): readonly Violation[] {
    const violations: Violation[] = [];
    const refuse = (text: string, target?: string) =>
      void violations.push({ text, place: undefined, spec, target });
    if (spec.platform !== "linux") refuse(`packages for ${spec.platform} cannot be used`);
    else if (!isAtLeast(platform.target, spec.target))
      refuse(`the platform is ${platform.target}`, platform.target);
    if (platform.os !== undefined && spec.os !== platform.os)
      refuse(`the platform's system is ${platform.os}`);
    return violations;
  }

  function judge(spec: ConcreteSpec): Verdict {
    const left = reuseRefusal(spec);
    const developed = environment.develop.get(spec.name);
    const verdicts = [rules.ofPackage(spec), ...providers(spec)];
    return {
      violations: [
        ...unfit(spec),
        ...(left === undefined ? [] : [{ text: left.text, place: left.place, spec }]),
        ...(developed === undefined
          ? []
          : [{ text: `\`develop\` has it built from \`${developed.path}\``, place: developed.place, spec }]),
        ...verdicts.flatMap(({ violations }) => violations),
      ],
      weight: verdicts.reduce((sum, { weight }) => sum + weight, 0),
      unmet: verdicts.flatMap(({ unmet }): readonly UnmetPreference[] => unmet),
    };
  }

  /** The verdicts on what provides virtual packages to a package: at run time, and the compilers that built it. */
  function providers(spec: ConcreteSpec): readonly Verdict[] {
    const atRunTime = new Set(runEdges(spec).filter((edge) => !isRuntime(edge)));
    return spec.dependencies.flatMap((edge) =>
      edge.virtuals.flatMap((virtual) => {
        const counts = atRunTime.has(edge) || (dialect === "1.x" && languages.has(virtual));
        const provider = counts ? source.spec(edge.hash) : undefined;
        return (provider === undefined ? undefined : rules.ofProvider(virtual, provider)) ?? [];
      }),
    );
  }

  /** Why `concretizer: reuse` leaves a package out. As in Spack, not said of externals and the run-time library of GCC. */
  function reuseRefusal(
    spec: ConcreteSpec,
  ): { readonly text: string; readonly place: Place | undefined } | undefined {
    const filters = environment.concretizer.reuse;
    if (filters.length === 0 || spec.external !== undefined || spec.name === "gcc-runtime") return undefined;
    let reason: { readonly text: string; readonly place: Place | undefined } | undefined;
    for (const { include, exclude } of filters) {
      const excluded = exclude.find((each) => satisfied(spec, each.spec));
      const included = include.length === 0 || include.some((each) => satisfied(spec, each.spec));
      if (included && excluded === undefined) return undefined;
      reason ??=
        excluded !== undefined
          ? { text: `\`concretizer: reuse\` excludes \`${excluded.text}\``, place: excluded.place }
          : {
              text: `\`concretizer: reuse\` includes only ${include.map((each) => `\`${each.text}\``).join(", ")}`,
              place: undefined,
            };
    }
    return reason;
  }

  function judgeOnce(spec: ConcreteSpec): Verdict {
    const before = known.get(spec.hash);
    if (before !== undefined) return before;
    const verdict = judge(spec);
    known.set(spec.hash, verdict);
    return verdict;
  }

  /**
   * What speaks against the C library or the run-time library that packages were built with. These are not chosen: Spack 1.x
   * asks for others of their kind only where it builds something. 0.x chooses one run-time library for what is
   * built already, too, whichever it came with: there must be one that keeps the rules and runs where the packages run.
   */
  function runtimeViolations(node: ConcreteSpec, nodes: readonly ConcreteSpec[]): readonly Violation[] {
    const violations = unfit(node);
    if (violations.length > 0 || dialect === "1.x" || node.name !== "gcc-runtime") return violations;
    const own = rules.ofPackage(node).violations;
    if (own.length === 0) return [];
    const users = nodes.filter((user) => runEdges(user).some(({ hash }) => hash === node.hash));
    const others = source.hashesOf(node.name).flatMap((hash) => source.spec(hash) ?? []);
    const found = others.some(
      (other) =>
        unfit(other).length === 0 &&
        rules.ofPackage(other).violations.length === 0 &&
        users.every((user) => isAtLeast(user.target, other.target)),
    );
    return found ? [] : own;
  }

  return {
    judge: judgeOnce,
    violations: ({ nodes, byName }) =>
      nodes.flatMap((node) =>
        byName.get(node.name) === node.hash ? judgeOnce(node).violations : runtimeViolations(node, nodes),
      ),
  };
}
