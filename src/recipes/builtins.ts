/** Python's builtin functions. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import { called, pairsOf, sorted } from "./collectionMethods.ts";
import { exceptionClass } from "./exceptions.ts";
import { formatted } from "./formatting.ts";
import { binary } from "./operations.ts";
import {
  bounded,
  compareValues,
  dictionary,
  isDictionary,
  isObject,
  isSequence,
  isTrue,
  list,
  native,
  numberIn,
  type ObjectValue,
  plain,
  put,
  quoted,
  set,
  textIn,
  textOf,
  tuple,
  typeName,
  type Value,
  valuesOf,
  wholeNumber,
  word,
} from "./values.ts";

/** Longest `range`. */
const longestRange = 10_000;

/** `getattr` and `hasattr` need to look attributes up. */
export type AttributeLookup = (value: Value, name: string) => Value;

function fallible(get: () => Value): Value | undefined {
  try {
    return get();
  } catch (thrown) {
    if (thrown instanceof PythonException && thrown.type === "AttributeError") return undefined;
    throw thrown;
  }
}

/** A class of Python's own: called, and tested for by `isinstance`. */
interface BuiltinClass extends ObjectValue {
  readonly has: (value: Value) => boolean;
}

function builtinClass(name: string, has: (value: Value) => boolean, make: ObjectValue): BuiltinClass {
  return {
    ...make,
    type: "type",
    has,
    attribute: (attribute) => (attribute === "__name__" ? name : undefined),
  };
}

const classes: Readonly<Record<string, BuiltinClass>> = {
  str: builtinClass(
    "str",
    (value) => textIn(value) !== undefined,
    plain("str", 0, 1, (value = "") => textOf(value)),
  ),
  int: builtinClass(
    "int",
    (value) => typeof value === "number" || typeof value === "boolean",
    plain("int", 0, 1, (value = 0) => integer(value)),
  ),
  float: builtinClass(
    "float",
    (value) => typeof value === "object" && value !== null && value.kind === "float",
    plain("float", 0, 1, (value = 0) => ({ kind: "float", value: float(value) })),
  ),
  bool: builtinClass(
    "bool",
    (value) => typeof value === "boolean",
    plain("bool", 0, 1, (value = false) => isTrue(value)),
  ),
  list: builtinClass(
    "list",
    (value) => isSequence(value) && value.kind === "list",
    plain("list", 0, 1, (value) => list(value === undefined ? [] : valuesOf(value))),
  ),
  tuple: builtinClass(
    "tuple",
    (value) => isSequence(value) && value.kind === "tuple",
    plain("tuple", 0, 1, (value) => tuple(value === undefined ? [] : valuesOf(value))),
  ),
  set: builtinClass(
    "set",
    (value) => isSequence(value) && value.kind === "set",
    plain("set", 0, 1, (value) => set(value === undefined ? [] : valuesOf(value))),
  ),
  dict: builtinClass(
    "dict",
    isDictionary,
    native("dict", ({ values: [first], named }) => {
      const made = dictionary(first === undefined ? [] : pairsOf(first));
      for (const [key, value] of named) put(made, key, value);
      return made;
    }),
  ),
};

const functions: Readonly<Record<string, ObjectValue>> = {
  len: plain("len", 1, 1, (value = null) => {
    if (isObject(value) && value.iterate === undefined) throw new NotUnderstood(`\`len\` of a ${value.type}`);
    return valuesOf(value).length;
  }),
  repr: plain("repr", 1, 1, (value = null) => quoted(value)),
  any: plain("any", 1, 1, (values = null) => valuesOf(values).some(isTrue)),
  all: plain("all", 1, 1, (values = null) => valuesOf(values).every(isTrue)),
  abs: plain("abs", 1, 1, (value) => Math.abs(wholeNumber(value))),
  sum: plain("sum", 1, 2, (values = null, start = 0) =>
    valuesOf(values).reduce((total, one) => binary("+", total, one), start),
  ),
  min: native("min", ({ values, named }) => extreme(values, named, -1)),
  max: native("max", ({ values, named }) => extreme(values, named, 1)),
  sorted: native("sorted", ({ values: [items = null], named }) => list(sorted(valuesOf(items), named))),
  reversed: plain("reversed", 1, 1, (values = null) => list(valuesOf(values).reverse())),
  enumerate: native("enumerate", ({ values: [items = null, start], named }) => {
    const first = wholeNumber(start ?? named.get("start") ?? 0);
    return list(valuesOf(items).map((item, index) => tuple([first + index, item])));
  }),
  zip: native("zip", ({ values }) => {
    const columns = values.map(valuesOf);
    const length = Math.min(
      ...columns.map((column) => column.length),
      columns.length === 0 ? 0 : Number.MAX_SAFE_INTEGER,
    );
    return list(Array.from({ length }, (_, index) => tuple(columns.map((column) => column[index] ?? null))));
  }),
  range: plain("range", 1, 3, (first, second, stride = 1) => {
    const [from, to] =
      second === undefined ? [0, wholeNumber(first)] : [wholeNumber(first), wholeNumber(second)];
    const step = wholeNumber(stride);
    if (step === 0) throw new PythonException("ValueError", "range() arg 3 must not be zero");
    const length = Math.max(0, Math.ceil((to - from) / step));
    if (length > longestRange) throw new NotUnderstood("a `range` that is too long");
    return list(Array.from({ length }, (_, index) => from + index * step));
  }),
  map: plain("map", 2, 2, (callee = null, values = null) =>
    list(valuesOf(values).map((value) => called(callee, value))),
  ),
  filter: plain("filter", 2, 2, (callee = null, values = null) =>
    list(valuesOf(values).filter((value) => isTrue(callee === null ? value : called(callee, value)))),
  ),
  iter: plain("iter", 1, 1, (values = null) => list(valuesOf(values))),
  next: plain("next", 1, 2, (values = null, fallback) => {
    if (!isSequence(values)) throw new NotUnderstood("`next` of this");
    const [first] = values.items.splice(0, 1);
    const value = first === undefined ? fallback : first;
    if (value === undefined) throw new PythonException("StopIteration", "");
    return value;
  }),
  format: plain("format", 1, 2, (value = null, spec = "") => formatted(value, word(spec))),
  print: native("print", () => null),
  callable: plain("callable", 1, 1, (value = null) => isObject(value) && value.call !== undefined),
  isinstance: plain("isinstance", 2, 2, (value = null, kinds = null) => isInstance(value, kinds)),
};

/** Names that Python knows and that are not understood here. */
const others: ReadonlySet<string> = new Set(
  `ascii bin bytearray bytes chr classmethod compile complex delattr dir divmod eval exec exit frozenset globals hash help
  hex id input issubclass locals memoryview object oct open ord pow property quit round slice staticmethod type vars
  setattr __import__ __file__ __name__ bytes`.split(/\s+/),
);

/** The builtin of a name, if Python has one. @throws NotUnderstood for one that is not understood */
export function builtin(name: string, attribute: AttributeLookup): Value | undefined {
  if (Object.hasOwn(classes, name)) return classes[name];
  if (Object.hasOwn(functions, name)) return functions[name];
  if (name === "getattr")
    return plain(name, 2, 3, (value = null, key, fallback) => {
      const own = fallible(() => attribute(value, word(key)));
      const found = own === undefined ? fallback : own;
      if (found === undefined) throw new PythonException("AttributeError", word(key));
      return found;
    });
  if (name === "hasattr")
    return plain(
      name,
      2,
      2,
      (value = null, key) => fallible(() => attribute(value, word(key))) !== undefined,
    );
  if (others.has(name)) throw new NotUnderstood(`\`${name}\``);
  return exceptionClass(name);
}

function isInstance(value: Value, kinds: Value): boolean {
  if (isSequence(kinds)) return kinds.items.some((kind) => isInstance(value, kind));
  if (isObject(kinds) && "has" in kinds && typeof kinds.has === "function")
    return (kinds as BuiltinClass).has(value);
  throw new NotUnderstood("`isinstance` with this class");
}

function integer(value: Value): number {
  const number = numberIn(value);
  if (number !== undefined) return Math.trunc(number);
  // A version's part, or a text of digits.
  const text = textIn(value);
  if (text !== undefined && /^\s*[+-]?\d{1,15}\s*$/.test(text)) return Number(text);
  if (isObject(value)) throw new NotUnderstood(`a ${value.type} as a number`);
  throw new PythonException("ValueError", `invalid literal for int(): ${textOf(value)}`);
}

function float(value: Value): number {
  const number = numberIn(value);
  if (number !== undefined) return number;
  const text = textIn(value);
  if (text !== undefined && /^\s*[+-]?\d{1,15}(?:\.\d{0,15})?\s*$/.test(text)) return Number(text);
  if (isObject(value)) throw new NotUnderstood(`a ${value.type} as a number`);
  throw new PythonException("ValueError", `could not convert to float: ${typeName(value)}`);
}

function extreme(values: readonly Value[], named: ReadonlyMap<string, Value>, sign: 1 | -1): Value {
  const items = bounded(values.length === 1 ? valuesOf(values[0] ?? null) : values);
  const key = named.get("key") ?? null;
  const keyed = items.map((item) => [key === null ? item : called(key, item), item] as const);
  const best = keyed.reduce<(typeof keyed)[number] | undefined>(
    (one, each) => (one === undefined || sign * compareValues(each[0], one[0]) > 0 ? each : one),
    undefined,
  );
  const value = best?.[1] ?? named.get("default");
  if (value === undefined) throw new PythonException("ValueError", "an empty sequence has no extreme");
  return value;
}
