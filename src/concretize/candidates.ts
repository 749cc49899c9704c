/** For one root: which cached specs can be it, and why the others cannot. */
import type { Environment, RequestedSpec, Requirement } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { formatSpec } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import { formatVersionSet, parseVersion, versionsIntersect, versionsSatisfy } from "../spec/versions.ts";
import { builtinVirtuals } from "../spec/virtuals.ts";
import type { RunClosure } from "./closures.ts";
import { groupByVersion } from "./hashesByVersion.ts";
import { newestFirst } from "./newestFirst.ts";
import type { PackageSource } from "./packageSource.ts";
import { optionTexts, type Violation } from "./requirementRules.ts";
import type { EnvironmentRules } from "./rules.ts";

/** A cached spec that can be a root. */
export interface Candidate {
  readonly spec: ConcreteSpec;
  readonly closure: RunClosure;
}

/** A cached spec of the right name that cannot, and everything that is wrong with it. */
export interface Rejection {
  readonly spec: ConcreteSpec;
  readonly violations: readonly Violation[];
}

/** What there is for a root. Everything is worked out when it is asked for, and once. */
export interface Candidates {
  readonly request: RequestedSpec;
  /** Set when the request names a virtual. */
  readonly virtual: string | undefined;
  /** All that can be it, in order of their hashes. */
  usable(): readonly Candidate[];
  /** Those of the newest version that has any; of a virtual, all. */
  newest(): readonly Candidate[];
  /** Those of a version. */
  ofVersion(version: string): readonly Candidate[];
  /** Those of the right name that cannot be it. */
  rejections(): readonly Rejection[];
}

/** How candidates are found; all of it is computed once per environment. */
export interface CandidateContext {
  readonly environment: Environment;
  readonly source: PackageSource;
  readonly closureOf: (hash: DagHash) => RunClosure | undefined;
  readonly byVersion: (name: string) => ReadonlyMap<string, readonly DagHash[]>;
  readonly rules: EnvironmentRules;
}

/** Finds the candidates for a root. */
export function findCandidates(context: CandidateContext, request: RequestedSpec): Candidates {
  const { environment, source, closureOf, rules } = context;
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const { name, hash: wantedHash } = request.spec;
  const own = name === undefined ? [] : source.hashesOf(name);
  const virtuals = builtinVirtuals(dialect);
  const providers =
    name === undefined
      ? []
      : [...new Set([...source.providersOf(name), ...(virtuals.providersOf?.(name) ?? [])])];
  const virtual = own.length === 0 && providers.length > 0 ? name : undefined;
  const hashes =
    virtual !== undefined
      ? providers.flatMap((provider) => [...source.hashesOf(provider)])
      : name === undefined && wantedHash !== undefined
        ? source.hashesWithPrefix(wantedHash)
        : own;
  const wanted: AbstractSpec =
    virtual === undefined
      ? request.spec
      : { ...withoutNode(request.spec), dependencies: request.spec.dependencies };
  const virtualRules = virtual === undefined ? [] : (environment.packages.get(virtual)?.require ?? []);
  /** False for a provider whose recipe says that this configuration does not provide these versions of the virtual. */
  const provides = (spec: ConcreteSpec) => {
    const offers = virtual === undefined ? undefined : virtuals.provided?.(spec.name);
    if (offers === undefined) return true;
    return offers.some(
      (offer) =>
        offer.virtual.name === virtual &&
        versionsIntersect(offer.virtual.versions, request.spec.versions) &&
        concreteSatisfies(lookup, spec.hash, offer.when, { dialect }),
    );
  };
  const keeps = (hash: DagHash, requirement: Requirement) =>
    requirement.options.some((option) => concreteSatisfies(lookup, hash, option.spec, { dialect }));
  const judged = new Map<DagHash, Candidate | undefined>();
  const sorted = [...hashes].sort();

  /** The candidate with this hash, if it is one. Closures are examined last: they are the costly part. */
  function candidateOf(hash: DagHash): Candidate | undefined {
    if (judged.has(hash)) return judged.get(hash);
    const spec = source.spec(hash);
    const fits =
      spec !== undefined &&
      provides(spec) &&
      concreteSatisfies(lookup, hash, wanted, { dialect }) &&
      virtualRules.every((requirement) => keeps(hash, requirement));
    const closure = fits ? closureOf(hash) : undefined;
    const usable =
      closure !== undefined && closure.problem === undefined && rules.violations(closure).length === 0;
    const candidate = spec !== undefined && usable ? { spec, closure } : undefined;
    judged.set(hash, candidate);
    return candidate;
  }

  const usable = (among: readonly DagHash[] = sorted) => among.flatMap((hash) => candidateOf(hash) ?? []);

  const versionGroups = () =>
    hashes === own && name !== undefined ? context.byVersion(name) : groupByVersion(source, hashes);

  function newest(): readonly Candidate[] {
    if (virtual !== undefined) return usable();
    const groups = versionGroups();
    for (const version of newestFirst(groups.keys(), dialect)) {
      // What has another version need not be looked at.
      if (!versionsSatisfy(parseVersion(version, dialect), wanted.versions)) continue;
      const candidates = usable(groups.get(version));
      if (candidates.length > 0) return candidates;
    }
    return [];
  }

  function rejectionOf(hash: DagHash): Rejection | undefined {
    const spec = source.spec(hash);
    const closure = closureOf(hash);
    if (spec === undefined || closure === undefined) return undefined;
    const violations: Violation[] = [];
    if (!provides(spec))
      violations.push({ text: `it does not provide \`${request.text}\``, place: request.place, spec });
    if (!concreteSatisfies(lookup, hash, wanted, { dialect }))
      violations.push(...unsatisfiedParts(context, request, wanted, spec));
    for (const requirement of virtualRules)
      if (!keeps(hash, requirement))
        violations.push({
          text: requirement.message ?? `\`packages: ${virtual}\` requires ${optionTexts(requirement)}`,
          place: requirement.place,
          spec,
        });
    violations.push(...rules.violations(closure));
    if (closure.problem !== undefined) violations.push({ text: closure.problem, place: undefined, spec });
    return { spec, violations };
  }

  return {
    request,
    virtual,
    usable: () => usable(),
    newest,
    ofVersion: (version) => usable(versionGroups().get(version) ?? []),
    rejections: () =>
      sorted.flatMap((hash) => (candidateOf(hash) === undefined ? (rejectionOf(hash) ?? []) : [])),
  };
}

/** A spec's constraints on everything but the node itself. */
function withoutNode(spec: AbstractSpec): AbstractSpec {
  const empty = parseSpec("", { dialect: "1.x" });
  return { ...empty, arch: spec.arch, hash: spec.hash, compiler: spec.compiler };
}

/** The parts of a request that a spec does not satisfy, each in the user's words. */
function unsatisfiedParts(
  { environment, source }: CandidateContext,
  request: RequestedSpec,
  wanted: AbstractSpec,
  spec: ConcreteSpec,
): readonly Violation[] {
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const empty: AbstractSpec = { ...parseSpec("", { dialect }), name: wanted.name };
  const parts: { readonly text: string; readonly part: AbstractSpec }[] = [];
  if (wanted.hash !== undefined)
    parts.push({ text: `/${wanted.hash}`, part: { ...empty, hash: wanted.hash } });
  parts.push({
    text: `@${formatVersionSet(wanted.versions)}`,
    part: { ...empty, versions: wanted.versions },
  });
  if (wanted.namespace !== undefined)
    parts.push({
      text: `the namespace ${wanted.namespace}`,
      part: { ...empty, namespace: wanted.namespace },
    });
  for (const [name, variant] of wanted.variants) {
    const [value] = variant.values;
    const text =
      variant.kind === "bool"
        ? `${value === true ? "+" : "~"}${name}`
        : `${name}=${variant.values.length === 0 ? "*" : variant.values.join(",")}`;
    const has = spec.variants.get(name);
    const is =
      has === undefined
        ? " (it has no such variant)"
        : typeof has === "boolean"
          ? ` (it is ${has ? "+" : "~"}${name})`
          : ` (it is ${name}=${typeof has === "string" ? has : has.join(",")})`;
    parts.push({ text: text + is, part: { ...empty, variants: new Map([[name, variant]]) } });
  }
  if (wanted.compiler !== undefined) {
    const { name, versions } = wanted.compiler;
    const is = spec.compiler === undefined ? "" : ` (it is %${spec.compiler.name}@${spec.compiler.version})`;
    parts.push({
      text: `%${name}@${formatVersionSet(versions)}${is}`,
      part: { ...empty, compiler: wanted.compiler },
    });
  }
  if (wanted.arch !== undefined)
    parts.push({
      text: `${wanted.arch.target === undefined ? `os=${wanted.arch.os ?? wanted.arch.platform}` : `target=${wanted.arch.target}`} (it is ${spec.os}-${spec.target})`,
      part: { ...empty, arch: wanted.arch },
    });
  if (wanted.flags.size > 0)
    parts.push({ text: "the compiler flags", part: { ...empty, flags: wanted.flags } });
  for (const edge of wanted.dependencies)
    parts.push({
      text: `${edge.direct ? "%" : "^"}${formatSpec(edge.spec, dialect)}`,
      part: { ...empty, dependencies: [edge] },
    });
  const failed = parts.filter(({ part }) => !concreteSatisfies(lookup, spec.hash, part, { dialect }));
  const texts = failed.length > 0 ? failed.map(({ text }) => text) : [request.text];
  return texts.map((text) => ({ text: `\`${request.text}\` wants ${text}`, place: request.place, spec }));
}
