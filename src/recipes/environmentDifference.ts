/** Spack's reading of two environments: which changes lead from one to the other. */
import type { RecipeModification } from "./recipeModification.ts";

/** What separates the entries of a list: a colon if any value has one, else a semicolon if any has one. */
const separatorIn = (...values: readonly string[]): string | undefined =>
  [":", ";"].find((separator) => values.some((value) => value.includes(separator)));

const sorted = (names: Iterable<string>): string[] => [...names].sort();

/**
 * `EnvironmentModifications.from_environment_diff` of Spack: new variables first, then those that are gone, then those
 * that changed, each group by name. Values with separators, and names with `PATH` in them, are taken for lists.
 * @param clean remove entries that occur twice from lists that changed
 */
export function environmentDifference(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  clean: boolean,
): readonly RecipeModification[] {
  const changes: RecipeModification[] = [];
  for (const [name, value] of [...after].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (before.has(name)) continue;
    const separator = separatorIn(value) ?? (name.includes("PATH") ? ":" : undefined);
    changes.push({
      operation: separator === undefined ? "set" : "prepend_path",
      name,
      value,
      separator: separator ?? ":",
    });
  }
  for (const name of sorted(before.keys()))
    if (!after.has(name)) changes.push({ operation: "unset", name, value: undefined, separator: ":" });
  for (const name of sorted(before.keys())) {
    const [old, value] = [before.get(name) ?? "", after.get(name)];
    if (value === undefined || value === old) continue;
    const separator = separatorIn(old, value);
    if (separator === undefined) changes.push({ operation: "set", name, value, separator: ":" });
    else changes.push(...listDifference(name, { old, value }, separator, clean));
  }
  return changes;
}

/** The changes of one list. */
function listDifference(
  name: string,
  { old, value }: { readonly old: string; readonly value: string },
  separator: string,
  clean: boolean,
): readonly RecipeModification[] {
  const entries = (list: string): string[] => {
    const all = list.split(separator).filter((entry) => entry !== "");
    return clean ? [...new Set(all)] : all;
  };
  const [olds, news] = [entries(old), entries(value)];
  const [oldValue, newValue] = clean ? [olds.join(separator), news.join(separator)] : [old, value];
  const change = (operation: RecipeModification["operation"], path: string): RecipeModification => ({
    operation,
    name,
    value: path,
    separator,
  });
  const kept = olds.filter((entry) => news.includes(entry));
  const [first, last] = [kept.at(0), kept.at(-1)];
  if (first === undefined || last === undefined) return [change("prepend_path", newValue)];
  const [start, end] = [news.indexOf(first), news.indexOf(last)];
  if (!oldValue.includes(news.slice(start, end + 1).join(separator)))
    return [change("prepend_path", newValue)];
  return [
    ...olds.filter((entry) => !news.includes(entry)).map((entry) => change("remove_path", entry)),
    ...news.slice(end + 1).map((entry) => change("append_path", entry)),
    ...news
      .slice(0, start)
      .reverse()
      .map((entry) => change("prepend_path", entry)),
  ];
}
