/** Spack's `EnvironmentModifications`: what recipes write their changes to. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { RecipeFiles } from "./files.ts";
import type { EnvironmentOperation, RecipeModification } from "./recipeModification.ts";
import { sourcedScript } from "./sourcedScript.ts";
import {
  type CallArguments,
  isObject,
  native,
  type ObjectValue,
  textOf,
  type Value,
  valuesOf,
  word,
} from "./values.ts";

/** Most changes that one recipe makes. */
const mostModifications = 10_000;

/** Parameters of each method, in order. */
const parameters: Readonly<Record<EnvironmentOperation, readonly string[]>> = {
  set: ["name", "value"],
  unset: ["name"],
  prepend_path: ["name", "path", "separator"],
  append_path: ["name", "path", "separator"],
  set_path: ["name", "elements", "separator"],
  append_flags: ["name", "value", "sep"],
  remove_flags: ["name", "value", "sep"],
  remove_path: ["name", "path", "separator"],
  remove_first_path: ["name", "path", "separator"],
  remove_last_path: ["name", "path", "separator"],
  prune_duplicate_paths: ["name", "separator"],
  deprioritize_system_paths: ["name", "separator"],
};

const isOperation = (name: string): name is EnvironmentOperation => Object.hasOwn(parameters, name);

/** Methods that are there and not understood here. */
const others: ReadonlySet<string> = new Set(
  "group_by_name is_unset reversed apply_modifications shell_modifications env_modifications from_environment_diff".split(
    " ",
  ),
);

/** The `env` that a method gets. */
export class EnvironmentValue implements ObjectValue {
  readonly kind = "object";
  readonly type = "EnvironmentModifications";
  modifications: RecipeModification[] = [];

  truth(): boolean {
    return this.modifications.length > 0;
  }

  attribute(name: string): Value | undefined {
    if (isOperation(name)) return native(name, (given) => this.add(name, given));
    if (name === "clear")
      return native(name, () => {
        this.modifications = [];
        return null;
      });
    if (name === "extend") return native(name, ({ values: [other = null] }) => this.extend(other));
    if (name === "drop")
      return native(name, ({ values }) => {
        const before = this.modifications.length;
        const dropped = new Set(values.map(word));
        this.modifications = this.modifications.filter((one) => !dropped.has(one.name));
        return this.modifications.length < before;
      });
    if (others.has(name)) throw new NotUnderstood(`\`${name}\` of an environment`);
    return undefined;
  }

  private extend(other: Value): null {
    if (!isObject(other) || !(other instanceof EnvironmentValue))
      throw new PythonException("TypeError", "other must be an instance of EnvironmentModifications");
    this.modifications.push(...other.modifications);
    this.bounded();
    return null;
  }

  private add(operation: EnvironmentOperation, { values, named }: CallArguments): null {
    const names = parameters[operation];
    const given = new Map(named);
    for (const ignored of ["force", "raw"]) given.delete(ignored);
    for (const [index, value] of values.entries()) {
      const name = names[index];
      if (name === undefined || given.has(name))
        throw new PythonException("TypeError", `${operation}() got too many arguments`);
      given.set(name, value);
    }
    const [variable = "", second] = names;
    const name = given.get(variable);
    const takesValue = second === "value" || second === "path" || second === "elements";
    const value = takesValue ? given.get(second) : undefined;
    if (name === undefined || (takesValue && value === undefined))
      throw new PythonException("TypeError", `${operation}() misses an argument`);
    const separator = given.get("separator") ?? given.get("sep");
    const known = new Set(names);
    for (const one of given.keys())
      if (!known.has(one))
        throw new PythonException("TypeError", `${operation}() got an unexpected argument '${one}'`);
    this.modifications.push({
      operation,
      name: textOf(name),
      value:
        value === undefined
          ? undefined
          : second === "elements"
            ? valuesOf(value).map((one) => textOf(one))
            : textOf(value),
      separator: separator === undefined ? (operation.endsWith("_flags") ? " " : ":") : textOf(separator),
    });
    this.bounded();
    return null;
  }

  private bounded(): void {
    if (this.modifications.length > mostModifications)
      throw new NotUnderstood("too many changes of the environment");
  }
}

/** The class `EnvironmentModifications`, which reads the scripts of an image and never runs them. */
export function environmentClass(files: RecipeFiles): ObjectValue {
  return {
    kind: "object",
    type: "type",
    call: () => new EnvironmentValue(),
    attribute: (name) =>
      name === "from_sourcing_file"
        ? native(name, (given) => {
            const changes = new EnvironmentValue();
            changes.modifications.push(...sourcedScript(files, given));
            return changes;
          })
        : undefined,
  };
}
