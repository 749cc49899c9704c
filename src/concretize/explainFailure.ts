/** Why there is no choice: per root, in the user's own words. */
import { didYouMean } from "../definitions/nearest.ts";
import type { RequestedSpec } from "../environment/types.ts";
import { briefSpec, type ConcreteSpec } from "../spec/concrete.ts";
import { compareVersions, parseVersion } from "../spec/versions.ts";
import { formatPlace, type Place, SpacktainersError } from "../util/errors.ts";
import type { Candidates, Rejection } from "./candidates.ts";
import type { PackageSource } from "./packageSource.ts";
import type { UnmetPreference, Violation } from "./requirementRules.ts";

/** How many candidates an explanation names, and how many constraints of each. */
const mostNamed = 3;

/** Why no cached spec can be this root: the nearest candidates and what each fails. */
export function explainNoCandidate(candidates: Candidates, source: PackageSource): SpacktainersError {
  const { request } = candidates;
  const rejected = candidates.rejections();
  const { name } = request.spec;
  if (rejected.length === 0) {
    const known = source.names();
    return new SpacktainersError(
      "NO_SOLUTION",
      name === undefined
        ? `\`${request.text}\`: no cached package has this hash`
        : `\`${request.text}\`: no cache has a package \`${name}\``,
      {
        place: request.place,
        hint:
          (name === undefined ? undefined : didYouMean(name, known)) ??
          "build and push it, or add the cache that has it",
      },
    );
  }
  const foreign = explainForeign(request, rejected);
  if (foreign !== undefined) return foreign;
  const count =
    rejected.length === 1
      ? "the only cached configuration does not fit"
      : `none of ${rejected.length} cached configurations fits`;
  return new SpacktainersError("NO_SOLUTION", `\`${request.text}\`: ${count}`, {
    place: request.place,
    hint: `nearest: ${nearest(rejected)
      .map((rejection) => `${briefSpec(rejection.spec)}: ${describe(rejection, request)}`)
      .join("; ")}`,
  });
}

/** What there is, where all of it is for another processor. */
function explainForeign(
  { text, place }: RequestedSpec,
  rejected: readonly Rejection[],
): SpacktainersError | undefined {
  const reasons = rejected.map(({ spec, violations }) =>
    violations.find((violation) => violation.spec === spec && violation.target !== undefined),
  );
  const target = reasons[0]?.target;
  if (target === undefined || reasons.includes(undefined)) return undefined;
  const targets = [...new Set(rejected.map(({ spec }) => spec.target))].sort().join(", ");
  return new SpacktainersError(
    "NO_SOLUTION",
    `\`${text}\`: the caches have it for ${targets} only, and the platform is ${target}`,
    {
      place,
      hint: "add a cache with packages for this platform; `platforms:` in spacktainers.yaml sets the target of containers",
    },
  );
}

/** Those with the fewest failed constraints, newest first. */
function nearest(rejected: readonly Rejection[]): readonly Rejection[] {
  const version = ({ spec }: Rejection) =>
    parseVersion(spec.version, spec.specfileVersion >= 5 ? "1.x" : "0.x");
  return [...rejected]
    .sort(
      (a, b) =>
        a.violations.length - b.violations.length ||
        (a.spec.name < b.spec.name ? -1 : a.spec.name > b.spec.name ? 1 : 0) ||
        compareVersions(version(b), version(a)) ||
        (a.spec.hash < b.spec.hash ? -1 : 1),
    )
    .slice(0, mostNamed);
}

function describe({ spec, violations }: Rejection, request: RequestedSpec): string {
  const texts = [...new Set(violations.map((violation) => describeViolation(violation, spec, request)))];
  const shown = texts.slice(0, mostNamed).join(", ");
  return texts.length > mostNamed ? `${shown}, and ${texts.length - mostNamed} more` : shown;
}

function describeViolation(violation: Violation, root: ConcreteSpec, request: RequestedSpec): string {
  const where = placeBeside(violation.place, request.place);
  const whom =
    violation.spec === root
      ? ""
      : ` (its dependency ${briefSpec(violation.spec)} on ${violation.spec.target})`;
  const prefix = `\`${request.text}\` wants `;
  const text = violation.text.startsWith(prefix)
    ? `not ${violation.text.slice(prefix.length)}`
    : violation.text;
  return `${text}${where}${whom}`;
}

/** ` (line 7)` for places in the same file, ` (file:7:3)` for others, nothing for the place of the request itself. */
function placeBeside(place: Place | undefined, request: Place): string {
  if (place === undefined || place.line === undefined) return "";
  if (place.file === request.file) return place.line === request.line ? "" : ` (line ${place.line})`;
  return ` (${formatPlace(place)})`;
}

/**
 * Why roots that can each be had cannot be had together.
 *
 * @param conflicting a smallest set of roots that do not fit together
 */
export function explainConflict(conflicting: readonly Candidates[]): readonly SpacktainersError[] {
  const texts = conflicting.map(({ request }) => `\`${request.text}\``);
  const all =
    texts.length === 2 ? texts.join(" and ") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
  const clashes = clashingPackages(conflicting);
  const because =
    clashes.length === 0
      ? ""
      : `: they need different configurations of ${clashes.slice(0, mostNamed).join(", ")}${clashes.length > mostNamed ? ", …" : ""}`;
  const [first] = conflicting;
  return [
    new SpacktainersError(
      "NO_SOLUTION",
      `${all} cannot be combined with the packages of the caches${because}`,
      {
        place: first?.request.place ?? {},
        hint: "`concretizer: unify: false` allows each its own configuration; or build one of them again against the other's dependencies",
      },
    ),
  ];
}

/** Packages in which the first candidates of the roots differ, with the configurations. */
function clashingPackages(conflicting: readonly Candidates[]): readonly string[] {
  const first = conflicting.flatMap(({ newest }) => newest()[0] ?? []);
  const seen = new Map<string, ConcreteSpec>();
  const clashes = new Map<string, Set<string>>();
  for (const { closure } of first)
    for (const node of closure.nodes) {
      if (closure.byName.get(node.name) !== node.hash) continue;
      const other = seen.get(node.name);
      if (other !== undefined && other.hash !== node.hash)
        clashes.set(node.name, (clashes.get(node.name) ?? new Set([briefSpec(other)])).add(briefSpec(node)));
      seen.set(node.name, node);
    }
  return [...clashes.keys()].sort().map((name) => `${name} (${[...(clashes.get(name) ?? [])].join(", ")})`);
}

/** Why a choice is refused that keeps a requirement by a less preferred option: Spack would build the preferred one. */
export function explainPreference({
  requirement,
  preferred,
  settings,
  spec,
}: UnmetPreference): SpacktainersError {
  const wanted = preferred.map(({ text }) => `\`${text}\``).join(" or ");
  const line = requirement.place.line === undefined ? "" : ` (line ${requirement.place.line})`;
  return new SpacktainersError(
    "NO_SOLUTION",
    `\`packages: ${settings.name}\` prefers ${wanted}${line} for ${spec.name}, which no cached configuration that fits has: Spack would build it`,
    {
      place: requirement.place,
      hint: `the caches have ${briefSpec(spec)}: ask for it in the spec, put it first in the requirement, or push the preferred one`,
    },
  );
}
