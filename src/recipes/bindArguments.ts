import { PythonException } from "../python/problem.ts";
import type { FunctionParts } from "./expressions.ts";
import { type CallArguments, dictionary, tuple, type Value } from "./values.ts";

/** The names of a function that is called. @throws PythonException when the arguments do not fit */
export function bindArguments(
  { name, parameters }: FunctionParts,
  { values, named }: CallArguments,
  fallbacks: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const names = new Map<string, Value>();
  const left = new Map(named);
  const byName = (wanted: string): Value => {
    const found = left.has(wanted) ? left.get(wanted) : fallbacks.get(wanted);
    left.delete(wanted);
    if (found === undefined)
      throw new PythonException("TypeError", `${name}() misses the argument '${wanted}'`);
    return found;
  };
  let next = 0;
  for (const parameter of parameters) {
    if (parameter.kind === "*") {
      names.set(parameter.name, tuple(values.slice(next)));
      next = values.length;
    } else if (parameter.kind === "**") {
      names.set(parameter.name, dictionary(left));
      left.clear();
    } else {
      const value = parameter.named ? undefined : values[next];
      names.set(parameter.name, value === undefined ? byName(parameter.name) : value);
      if (!parameter.named && next < values.length) next++;
    }
  }
  const [unknown] = left.keys();
  if (unknown !== undefined || next < values.length)
    throw new PythonException(
      "TypeError",
      `${name}() got ${unknown === undefined ? "too many arguments" : `an unexpected argument '${unknown}'`}`,
    );
  return names;
}
