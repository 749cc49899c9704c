/** Methods of texts. */
import { NotUnderstood } from "../python/problem.ts";
import {
  isOtherTextMethod,
  pythonTextMethod,
  type TextArguments,
  type TextResult,
} from "../python/textMethods.ts";
import { type FieldAccess, formatText } from "./formatting.ts";
import {
  bounded,
  isSequence,
  list,
  native,
  type ObjectValue,
  plain,
  tuple,
  type Value,
  valuesOf,
  wholeNumber,
  word,
} from "./values.ts";

/** The method of a text; undefined when Python has none of that name. @throws NotUnderstood */
export function textMethod(text: string, name: string, access: FieldAccess): ObjectValue | undefined {
  if (name === "format")
    return native("format", ({ values, named }) => formatText(text, values, named, access));
  const method = pythonTextMethod(name);
  if (method !== undefined) {
    const [least, most, call] = method;
    return plain(name, least, most, (...values) => resultValue(call(text, textArguments(values))));
  }
  if (isOtherTextMethod(name)) throw new NotUnderstood(`the method \`${name}\` of a text`);
  return undefined;
}

function textArguments(values: readonly Value[]): TextArguments {
  return {
    has: (index) => values[index] !== undefined && values[index] !== null,
    text: (index) => word(values[index]),
    texts: (index) => {
      const value = values[index];
      return value !== undefined && isSequence(value) ? value.items.map(word) : [word(value)];
    },
    each: (index) => valuesOf(values[index] ?? null).map(word),
    whole: (index) => wholeNumber(values[index]),
  };
}

function resultValue(result: TextResult): Value {
  if (typeof result === "string") return bounded(result);
  if (typeof result !== "object") return result;
  return result.kind === "list" ? list(result.items) : tuple(result.items);
}
