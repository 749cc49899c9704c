/**
 * Order of microarchitectures: which can run what was made for another.
 * Data: archspec, see `microarchitectures.ts`, which `scripts/refresh-microarchitectures.mjs` writes.
 */
import { once } from "../util/once.ts";
import { microarchitectures } from "./data/microarchitectures.ts";

/** What a microarchitecture is made of. */
export interface Microarchitecture {
  readonly name: string;
  /** `generic` for families and levels such as `x86_64_v3`. */
  readonly vendor: string;
  readonly parents: readonly string[];
  /** Set on POWER only; otherwise 0. */
  readonly generation: number;
}

const byName = once(
  (): ReadonlyMap<string, Microarchitecture> =>
    new Map(
      Object.entries(microarchitectures).map(([name, [vendor, parents, generation = 0]]) => [
        name,
        { name, vendor, parents, generation },
      ]),
    ),
);

const closures = new Map<string, ReadonlySet<string>>();

/** The microarchitecture itself and all that it can run, or undefined for an unknown name. */
function closureOf(name: string): ReadonlySet<string> {
  const known = closures.get(name);
  if (known !== undefined) return known;
  const closure = new Set([name]);
  for (const member of closure) for (const parent of byName().get(member)?.parents ?? []) closure.add(parent);
  if (byName().has(name)) closures.set(name, closure);
  return closure;
}

/** The microarchitecture of a name, if archspec knows it. */
export function microarchitecture(name: string): Microarchitecture | undefined {
  return byName().get(name);
}

/** True if whatever was made for `lower` runs on `upper`. Unknown names run only themselves. */
export function isAtLeast(upper: string, lower: string): boolean {
  return closureOf(upper).has(lower);
}

/** The names of all that a microarchitecture can run, itself first. Unknown names: only itself. */
export function compatibleTargets(name: string): readonly string[] {
  return [...closureOf(name)];
}

/** The family (`x86_64`, `aarch64`, `ppc64le`, …) of a microarchitecture. An unknown name is its own family. */
export function familyOf(name: string): string {
  for (const member of closureOf(name)) if ((byName().get(member)?.parents ?? []).length === 0) return member;
  return name;
}

/** The names of all microarchitectures of a family. */
export function targetsOf(family: string): readonly string[] {
  return [...byName().keys()].filter((name) => familyOf(name) === family);
}

/** The best generic target (`x86_64_v3`) that a microarchitecture can run. */
export function genericOf(name: string): string {
  let best = name;
  let size = 0;
  for (const member of closureOf(name)) {
    const isGeneric = (byName().get(member)?.vendor ?? "generic") === "generic";
    const ancestors = closureOf(member).size;
    if (isGeneric && ancestors > size) [best, size] = [member, ancestors];
  }
  return best;
}
