/** The methods of Python's texts, lists and dicts. */
import {
  isOtherTextMethod,
  pythonTextMethod,
  type TextArguments,
  type TextResult,
} from "../../python/textMethods.ts";
import { PythonProblem, problemsAt } from "./problem.ts";
import {
  equalValues,
  itemsOf,
  type PythonDict,
  type PythonFunction,
  type PythonValue,
  pythonFunction,
  strOf,
  typeOf,
} from "./values.ts";

const list = (items: readonly PythonValue[]): PythonValue => ({ kind: "list", items });
const tuple = (items: readonly PythonValue[]): PythonValue => ({ kind: "tuple", items });

/**
 * The method of a text.
 *
 * @throws {PythonProblem}
 */
export function methodOfText(text: string, name: string, at: number): PythonFunction {
  const method = pythonTextMethod(name);
  if (method === undefined)
    throw isOtherTextMethod(name)
      ? new PythonProblem("unsupported", `\`${name}\` of a text is not evaluated here`, at)
      : new PythonProblem("python", `a text has no \`${name}\``, at);
  const [least, most, call] = method;
  return pythonFunction(name, least, most, (values, where) =>
    problemsAt(where, () => resultValue(call(text, textArguments(values, where)))),
  );
}

function textArguments(values: readonly PythonValue[], at: number): TextArguments {
  const word = (value: PythonValue | undefined): string => {
    if (typeof value === "string") return value;
    throw new PythonProblem("python", `text is expected, not a value of type ${typeOf(value ?? null)}`, at);
  };
  return {
    has: (index) => values[index] !== undefined && values[index] !== null,
    text: (index) => word(values[index]),
    texts: (index) => {
      const value = values[index];
      return typeof value === "object" && value !== null && value.kind === "tuple"
        ? value.items.map(word)
        : [word(value)];
    },
    each: (index) => itemsOf(values[index] ?? null, at).map(word),
    whole: (index) => {
      const value = values[index];
      if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
      const type = typeOf(value ?? null);
      throw new PythonProblem("python", `a whole number is expected, not a value of type ${type}`, at);
    },
  };
}

function resultValue(result: TextResult): PythonValue {
  return typeof result === "number" ? BigInt(result) : result;
}

/** The method of a dict. @throws {PythonProblem} */
export function methodOfDict({ entries }: PythonDict, name: string, at: number): PythonFunction {
  const find = (key: PythonValue | undefined) =>
    entries.find(([other]) => key !== undefined && equalValues(other, key))?.[1];
  if (name === "get") return pythonFunction(name, 1, 2, ([key, fallback]) => find(key) ?? fallback ?? null);
  if (name === "keys") return pythonFunction(name, 0, 0, () => list(entries.map(([key]) => key)));
  if (name === "values") return pythonFunction(name, 0, 0, () => list(entries.map(([, value]) => value)));
  if (name === "items")
    return pythonFunction(name, 0, 0, () => list(entries.map(([key, value]) => tuple([key, value]))));
  throw /^(?:clear|copy|fromkeys|pop|popitem|setdefault|update)$/.test(name)
    ? new PythonProblem("unsupported", `\`${name}\` of a dict is not evaluated here`, at)
    : new PythonProblem("python", `a dict has no \`${name}\``, at);
}

/** Methods that collections have in Python and not here. */
const otherMethods = {
  list: "append clear copy extend insert pop remove reverse sort",
  tuple: "",
  set: "add clear copy difference difference_update discard intersection_update issuperset pop remove symmetric_difference symmetric_difference_update union update",
} as const;

/** The method of a list, tuple or set. @throws {PythonProblem} */
export function methodOfCollection(
  collection: { readonly kind: "list" | "tuple" | "set"; readonly items: readonly PythonValue[] },
  name: string,
  at: number,
): PythonFunction {
  const { kind, items } = collection;
  const sameIn = (other: PythonValue | undefined, where: number) => {
    const others = itemsOf(other ?? null, where);
    return (item: PythonValue) => others.some((each) => equalValues(each, item));
  };
  if (kind !== "set" && name === "count")
    return pythonFunction(name, 1, 1, ([wanted]) =>
      BigInt(items.filter((item) => equalValues(item, wanted ?? null)).length),
    );
  if (kind !== "set" && name === "index")
    return pythonFunction(name, 1, 1, ([wanted], where) => {
      const index = items.findIndex((item) => equalValues(item, wanted ?? null));
      if (index < 0) throw new PythonProblem("python", `\`${strOf(wanted ?? null)}\` is not in there`, where);
      return BigInt(index);
    });
  if (kind === "set" && name === "issubset")
    return pythonFunction(name, 1, 1, ([other], where) => items.every(sameIn(other, where)));
  if (kind === "set" && name === "isdisjoint")
    return pythonFunction(name, 1, 1, ([other], where) => !items.some(sameIn(other, where)));
  if (kind === "set" && name === "intersection")
    return pythonFunction(name, 1, 1, ([other], where) => ({
      kind,
      items: items.filter(sameIn(other, where)),
    }));
  throw otherMethods[kind].split(" ").includes(name)
    ? new PythonProblem("unsupported", `\`${name}\` of a ${kind} is not evaluated here`, at)
    : new PythonProblem("python", `a ${kind} has no \`${name}\``, at);
}
