/** For one root: which cached specs can be it, and why the others cannot. */
import type { Environment, RequestedSpec } from "../environment/types.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";
import { formatVersionSet } from "../spec/versions.ts";
import type { RunClosure } from "./closures.ts";
import type { PackageSource } from "./packageSource.ts";
import type { Verdict, Violation } from "./rules.ts";

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

/** What there is for a root. */
export interface Candidates {
  readonly request: RequestedSpec;
  /** Set when the request names a virtual. */
  readonly virtual: string | undefined;
  readonly usable: readonly Candidate[];
  readonly rejected: readonly Rejection[];
}

/** How candidates are found; all of it is computed once per environment. */
export interface CandidateContext {
  readonly environment: Environment;
  readonly source: PackageSource;
  readonly closureOf: (hash: DagHash) => RunClosure | undefined;
  readonly judge: (spec: ConcreteSpec) => Verdict;
}

/** Finds the candidates for a root, in order of their hashes. */
export function findCandidates(context: CandidateContext, request: RequestedSpec): Candidates {
  const { environment, source, closureOf, judge } = context;
  const { dialect } = environment;
  const lookup = { get: (hash: DagHash) => source.spec(hash) };
  const { name, hash: wantedHash } = request.spec;
  const own = name === undefined ? [] : source.hashesOf(name);
  const virtual =
    name !== undefined && own.length === 0 && source.providersOf(name).length > 0 ? name : undefined;
  const hashes =
    virtual !== undefined
      ? source.providersOf(virtual).flatMap((provider) => [...source.hashesOf(provider)])
      : name === undefined && wantedHash !== undefined
        ? source.hashesWithPrefix(wantedHash)
        : own;
  // A virtual's own constraints (`mpi@3:`) are about the interface: only recipes know which providers have it.
  const wanted: AbstractSpec =
    virtual === undefined
      ? request.spec
      : { ...withoutNode(request.spec), dependencies: request.spec.dependencies };
  const usable: Candidate[] = [];
  const rejected: Rejection[] = [];
  for (const hash of [...hashes].sort()) {
    const spec = source.spec(hash);
    if (spec === undefined) continue;
    const closure = closureOf(hash);
    if (closure === undefined) continue;
    const violations: Violation[] = [];
    if (!concreteSatisfies(lookup, hash, wanted, { dialect }))
      violations.push(...unsatisfiedParts(context, request, wanted, spec));
    const virtualRules = virtual === undefined ? undefined : environment.packages.get(virtual);
    for (const requirement of virtualRules?.require ?? [])
      if (!requirement.options.some((option) => concreteSatisfies(lookup, hash, option.spec, { dialect })))
        violations.push({
          text:
            requirement.message ??
            `\`packages: ${virtual}\` requires ${requirement.options.map(({ text }) => `\`${text}\``).join(" or ")}`,
          place: requirement.place,
          spec,
        });
    for (const node of closure.nodes) violations.push(...judge(node).violations);
    if (closure.problem !== undefined) violations.push({ text: closure.problem, place: undefined, spec });
    if (violations.length === 0) usable.push({ spec, closure });
    else rejected.push({ spec, violations });
  }
  return { request, virtual, usable, rejected };
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
  if (wanted.compiler !== undefined)
    parts.push({ text: `%${wanted.compiler.name}`, part: { ...empty, compiler: wanted.compiler } });
  if (wanted.arch !== undefined)
    parts.push({
      text: `${wanted.arch.target === undefined ? `os=${wanted.arch.os ?? wanted.arch.platform}` : `target=${wanted.arch.target}`} (it is ${spec.os}-${spec.target})`,
      part: { ...empty, arch: wanted.arch },
    });
  if (wanted.flags.size > 0)
    parts.push({ text: "the compiler flags", part: { ...empty, flags: wanted.flags } });
  for (const edge of wanted.dependencies)
    parts.push({
      text: `the dependency ${edge.direct ? "%" : "^"}${edge.spec.name ?? ""}`,
      part: { ...empty, dependencies: [edge] },
    });
  const failed = parts.filter(({ part }) => !concreteSatisfies(lookup, spec.hash, part, { dialect }));
  const texts = failed.length > 0 ? failed.map(({ text }) => text) : [request.text];
  return texts.map((text) => ({ text: `\`${request.text}\` wants ${text}`, place: request.place, spec }));
}
