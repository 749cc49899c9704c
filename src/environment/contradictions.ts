/** Specs that cannot be, by what the manifest itself says. */
import type { ProblemList } from "../definitions/problems.ts";
import type { AbstractSpec } from "../spec/abstract.ts";
import { intersects } from "../spec/intersects.ts";
import { satisfies } from "../spec/satisfies.ts";
import { formatPlace, type Place } from "../util/errors.ts";
import type { Environment, PackageSettings, RequestedSpec, Requirement } from "./types.ts";

/**
 * Reports every spec (and every `^dependency` in it) that no package can satisfy together with `packages:`, and roots of
 * one package that `unify: true` makes impossible.
 */
export function reportContradictions(environment: Environment, problems: ProblemList): void {
  for (const request of environment.specs) {
    checkNode(environment, request, request.spec, problems);
    for (const edge of request.spec.dependencies) checkNode(environment, request, edge.spec, problems);
  }
  if (environment.concretizer.unify === true) checkUnified(environment, problems);
}

function checkNode(
  environment: Environment,
  request: RequestedSpec,
  node: AbstractSpec,
  problems: ProblemList,
): void {
  const { name } = node;
  if (name === undefined) return;
  const own = environment.packages.get(name);
  const { dialect } = environment;
  const what = node === request.spec ? `\`${request.text}\`` : `\`${name}\` in \`${request.text}\``;
  // The settings of a package replace, section by section, those of all packages.
  const settings = (key: "require" | "conflict"): PackageSettings =>
    own !== undefined && own[key].length > 0 ? own : environment.all;
  const whole = { ...node, dependencies: [] };
  const required = settings("require");
  for (const requirement of required.require) {
    const options = requirement.options.filter(({ spec }) => spec.name === undefined || spec.name === name);
    if (requirement.when !== undefined || options.length < requirement.options.length) continue;
    if (options.some(({ spec }) => intersects(whole, { ...spec, dependencies: [] }, { dialect }))) continue;
    problems.error(
      "SPEC_CONTRADICTION",
      `${what} contradicts what \`packages: ${required.name}\` requires: ${describe(requirement)}`,
      request.place,
      hint(requirement.message, requirement.place, request.place),
    );
  }
  const refused = settings("conflict");
  for (const conflict of refused.conflict) {
    const { spec } = conflict.spec;
    if (conflict.when !== undefined || (spec.name !== undefined && spec.name !== name)) continue;
    if (spec.dependencies.length > 0 || !satisfies(whole, spec, { dialect })) continue;
    problems.error(
      "SPEC_CONTRADICTION",
      `${what} is what \`packages: ${refused.name}\` refuses: \`${conflict.spec.text}\``,
      request.place,
      hint(conflict.message, conflict.spec.place, request.place),
    );
  }
}

/** The options in the user's words. */
function describe({ policy, options }: Requirement): string {
  const texts = options.map(({ text }) => `\`${text}\``);
  if (texts.length === 1) return texts[0] ?? "";
  return `${policy === "one_of" ? "one of" : "any of"} ${texts.join(", ")}`;
}

function hint(message: string | undefined, at: Place, from: Place): string {
  const where = at.file === from.file ? `line ${at.line ?? "?"}` : formatPlace(at);
  return message === undefined ? `it is required in ${where}` : `${message} (${where})`;
}

function checkUnified(environment: Environment, problems: ProblemList): void {
  const { dialect } = environment;
  const byName = new Map<string, RequestedSpec[]>();
  for (const request of environment.specs) {
    const { name } = request.spec;
    if (name === undefined) continue;
    const others = byName.get(name) ?? [];
    const clash = others.find((other) => !intersects(other.spec, request.spec, { dialect }));
    if (clash !== undefined)
      problems.error(
        "SPEC_CONTRADICTION",
        `\`${clash.text}\` and \`${request.text}\` cannot both be there: \`unify: true\` allows one configuration of a package`,
        request.place,
        `the other one is in line ${clash.place.line ?? "?"}; \`concretizer: unify: when_possible\` allows both`,
      );
    others.push(request);
    byName.set(name, others);
  }
}
