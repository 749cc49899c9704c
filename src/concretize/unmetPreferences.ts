/** Preferences that Spack would rather keep by building than give up. */
import type { Environment } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import { compilerPackage } from "../spec/compilerNames.ts";
import type { DagHash } from "../spec/concrete.ts";
import { intersects } from "../spec/intersects.ts";
import { parseSpec } from "../spec/parse.ts";
import { satisfies } from "../spec/satisfies.ts";
import { parseVersion, versionsIntersect, versionsSatisfy } from "../spec/versions.ts";
import type { SpacktainersError } from "../util/errors.ts";
import type { Candidates } from "./candidates.ts";
import { explainPreference } from "./explainFailure.ts";
import { compilers } from "./packageKinds.ts";
import type { PackageSource } from "./packageSource.ts";
import { reachable } from "./reachable.ts";
import type { UnmetPreference } from "./requirementRules.ts";
import type { EnvironmentRules, TargetPlatform } from "./rules.ts";
import type { SearchChoice } from "./search.ts";

/** What preferences are judged by. */
export interface PreferenceContext {
  readonly environment: Environment;
  readonly source: PackageSource;
  readonly rules: EnvironmentRules;
  readonly platform: TargetPlatform;
}

/**
 * Spack minimizes the weights of requirements before it counts what must be built. So a choice that keeps a requirement
 * by a less preferred option is Spack's choice only if nothing better could be built: if the preferred option
 * contradicts what the user asks for anyway, or needs a compiler that is not there.
 *
 * What the user names by its hash, and what that needs, cannot be anything else.
 */
export function unmetPreferences(
  context: PreferenceContext,
  round: readonly Candidates[],
  choice: SearchChoice,
): readonly SpacktainersError[] {
  const judged = new Set(namedByHash(context.source, round, choice));
  const found: UnmetPreference[] = [];
  for (const { closure } of choice.chosen)
    for (const node of closure.nodes) {
      if (judged.has(node.hash) || node.external !== undefined) continue;
      if (closure.byName.get(node.name) !== node.hash) continue;
      judged.add(node.hash);
      found.push(...context.rules.judge(node).unmet);
    }
  const refused = new Map<string, SpacktainersError>();
  for (const unmet of found) {
    if (!couldBeMet(context, unmet) || buildingCostsMore(context, unmet, found)) continue;
    const error = explainPreference(unmet);
    refused.set(error.message, error);
  }
  return [...refused.values()];
}

/** The packages of a choice that the user names by their hashes, and everything below them. */
function namedByHash(
  source: PackageSource,
  round: readonly Candidates[],
  choice: SearchChoice,
): Iterable<DagHash> {
  const prefixes = round
    .flatMap(({ request }) => [request.spec, ...request.spec.dependencies.map((edge) => edge.spec)])
    .flatMap(({ hash }) => hash ?? []);
  const named = choice.chosen
    .flatMap(({ closure }) => closure.nodes.map(({ hash }) => hash))
    .filter((hash) => prefixes.some((prefix) => hash.startsWith(prefix)));
  return reachable(source, named).keys();
}

/** True if a more preferred option goes together with everything else that the user says of the package. */
function couldBeMet(
  context: PreferenceContext,
  { requirement, preferred, settings, spec }: UnmetPreference,
): boolean {
  const { environment } = context;
  const { dialect } = environment;
  const asked = environment.specs
    .flatMap(({ spec: root }) => [root, ...root.dependencies.map((edge) => edge.spec)])
    .filter(({ name }) => name === spec.name);
  const ofVirtual = settings !== environment.all && settings.name !== spec.name;
  // Who asks for a provider by its name gets it.
  if (ofVirtual)
    return (
      asked.length === 0 && preferred.some(({ spec: option }) => isAvailable(context, option.name, option))
    );
  const said = asked.map((each) => ({ ...each, dependencies: [] }));
  const own = environment.packages.get(spec.name);
  const others = (own !== undefined && own.require.length > 0 ? own : environment.all).require.filter(
    (other) => other !== requirement && other.when === undefined,
  );
  return preferred.some(
    ({ spec: option }) =>
      compilersOf(option).every((compiler) => isAvailable(context, compiler.name, compiler)) &&
      said.every((each) => intersects(each, { ...option, name: spec.name, dependencies: [] }, { dialect })) &&
      others.every((other) =>
        other.options.some((alternative) =>
          intersects({ ...alternative.spec, dependencies: [] }, { ...option, dependencies: [] }, { dialect }),
        ),
      ),
  );
}

/** The compilers that an option asks for. */
function compilersOf({ compiler, dependencies }: AbstractSpec): readonly Wanted[] {
  const edges = dependencies.flatMap((edge) =>
    edge.direct && compilers.has(edge.spec.name ?? "") ? edge.spec : [],
  );
  return compiler === undefined ? edges : [...edges, compiler];
}

/** A compiler that is asked for. */
type Wanted = Pick<AbstractSpec, "name" | "versions">;

/**
 * Spack builds no compiler by the way: there must be one, named by the manifest, or known to the caches, be it as what built
 * their packages. What is no compiler can be built.
 */
function isAvailable(
  { environment, source }: PreferenceContext,
  name: string | undefined,
  wanted: Wanted,
): boolean {
  if (name === undefined) return true;
  const compiler = compilerPackage(name);
  if (!compilers.has(compiler)) return true;
  const { dialect } = environment;
  const known = [
    ...(environment.packages.get(compiler)?.externals ?? []).map(({ spec }) => spec.spec),
    ...environment.compilers.map(({ spec }) => spec),
  ];
  return (
    known.some(
      (each) =>
        each.name !== undefined &&
        compilerPackage(each.name) === compiler &&
        versionsIntersect(each.versions, wanted.versions),
    ) ||
    source
      .hashesOf(compiler)
      .flatMap((hash) => source.spec(hash) ?? [])
      .some(({ version }) => versionsSatisfy(parseVersion(version, dialect), wanted.versions))
  );
}

/**
 * What is preferred for all packages is preferred for the compiler and the C library, too, which are as the machine has
 * them: where they do not keep it, building costs more than what is there already (1.x).
 */
function buildingCostsMore(
  { environment, platform }: PreferenceContext,
  { requirement, preferred, settings }: UnmetPreference,
  all: readonly UnmetPreference[],
): boolean {
  const [first] = preferred;
  const target = first?.spec.arch?.target;
  if (environment.dialect === "0.x" || settings !== environment.all || target === undefined) return false;
  const machine = parseSpec(`target=${platform.target}`, { dialect: environment.dialect });
  if (satisfies(machine, { ...machine, arch: first?.spec.arch }, { dialect: environment.dialect }))
    return false;
  const times = all.filter((unmet) => unmet.requirement.place === requirement.place).length;
  return times <= 2;
}
