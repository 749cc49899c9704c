/** Changes of environment variables, in order, and what they come to. */
import { posix } from "node:path";
import type { EnvironmentVariableChange } from "../environment/types.ts";
import { SpacktainersError } from "../util/errors.ts";

/** One change. `separator` is that of the list in the variable, `:` if absent. */
export type EnvironmentModification =
  | { readonly kind: "set"; readonly name: string; readonly value: string }
  | { readonly kind: "unset"; readonly name: string }
  | {
      readonly kind: "prepend" | "append" | "remove";
      readonly name: string;
      /** One entry of the list, normally a path. */
      readonly value: string;
      readonly separator?: string;
      /** The entry is no path: it stays as it is. */
      readonly verbatim?: true;
    };

/** PATH of a system without a login: where an image's environment starts. */
export const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const actionKinds = {
  set: "set",
  unset: "unset",
  prepend_path: "prepend",
  append_path: "append",
  remove_path: "remove",
} as const;

/**
 * The changes that `env_vars:` of a manifest asks for.
 * @throws SpacktainersError `MANIFEST_INVALID` for names that no shell can set and for values with a NUL
 */
export function manifestModifications(
  changes: readonly EnvironmentVariableChange[],
): readonly EnvironmentModification[] {
  return changes.map(({ action, variable, value }) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable) || value.includes("\0"))
      throw new SpacktainersError(
        "MANIFEST_INVALID",
        `env_vars cannot ${action.replace("_", " ")} ${JSON.stringify(variable)}`,
        { hint: "names have letters, digits and underscores, and do not start with a digit" },
      );
    const kind = actionKinds[action];
    return kind === "unset" ? { kind, name: variable } : { kind, name: variable, value };
  });
}

/** Cleans a list entry as Spack does (`a//b/../c` → `a/c`); texts that are no paths come out unchanged. */
export function normalEntry(value: string): string {
  const clean = posix.normalize(value);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** What the changes of one variable come to, as an operation on the value it has. */
export interface VariableEffect {
  readonly name: string;
  readonly separator: string;
  /** A value that replaces the present one; undefined when the present one is kept, null when it is unset. */
  readonly value: string | null | undefined;
  /** Entries put before the present ones, first one first. */
  readonly prepended: readonly string[];
  /** Entries put after the present ones. */
  readonly appended: readonly string[];
  /** Entries taken out of the present ones. */
  readonly removed: readonly string[];
}

/**
 * Sums the changes up by variable, sorted by name. Repeated entries are dropped, the first one kept, in variables that
 * are used as lists.
 */
export function variableEffects(
  modifications: readonly EnvironmentModification[],
): readonly VariableEffect[] {
  const byName = new Map<string, EnvironmentModification[]>();
  for (const one of modifications) {
    const list = byName.get(one.name);
    if (list === undefined) byName.set(one.name, [one]);
    else list.push(one);
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, changes]) => effectOf(name, changes));
}

function effectOf(name: string, changes: readonly EnvironmentModification[]): VariableEffect {
  let value: string | null | undefined;
  let entries: { prepended: string[]; appended: string[] } = { prepended: [], appended: [] };
  const removed: string[] = [];
  let separator = ":";
  let isList = false;
  for (const change of changes) {
    if (change.kind === "set" || change.kind === "unset") {
      value = change.kind === "set" ? change.value : null;
      entries = { prepended: [], appended: [] };
      removed.length = 0;
      continue;
    }
    isList = true;
    separator = change.separator ?? ":";
    const entry = change.verbatim === true ? change.value : normalEntry(change.value);
    if (change.kind === "prepend") entries.prepended.unshift(entry);
    else if (change.kind === "append") entries.appended.push(entry);
    else {
      entries.prepended = entries.prepended.filter((one) => one !== entry);
      entries.appended = entries.appended.filter((one) => one !== entry);
      removed.push(entry);
    }
  }
  const first = [...new Set(entries.prepended)];
  const last = [...new Set(entries.appended)].filter((one) => !first.includes(one));
  if (value === undefined || !isList)
    return { name, separator, value, prepended: first, appended: last, removed };
  // A value of our own with entries around it is one fixed list.
  const whole = appliedTo(value ?? "", {
    name,
    separator,
    value: undefined,
    prepended: first,
    appended: last,
    removed,
  });
  return { name, separator, value: whole, prepended: [], appended: [], removed: [] };
}

/** The list `present` with an effect's entries around it. */
function appliedTo(present: string, effect: VariableEffect): string {
  const { separator, removed, prepended, appended } = effect;
  const kept = (present === "" ? [] : present.split(separator)).filter((one) => !removed.includes(one));
  return [...new Set([...prepended, ...kept, ...appended])].join(separator);
}

/**
 * The environment after all changes: what an image's configuration says.
 * @param initial the environment before; normally only `PATH`
 * @returns variables sorted by name; `MANPATH` ends with a colon, so that the system's manual pages stay in it
 */
export function environmentValues(
  modifications: readonly EnvironmentModification[],
  initial: ReadonlyMap<string, string> = new Map([["PATH", standardPath]]),
): ReadonlyMap<string, string> {
  const values = new Map(initial);
  for (const effect of variableEffects(modifications)) {
    if (effect.value === null) values.delete(effect.name);
    else if (effect.value !== undefined) values.set(effect.name, effect.value);
    else values.set(effect.name, appliedTo(values.get(effect.name) ?? "", effect));
  }
  const manual = values.get("MANPATH");
  if (manual !== undefined && !manual.endsWith(":")) values.set("MANPATH", `${manual}:`);
  return new Map([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}
