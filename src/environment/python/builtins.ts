/** Python's builtin functions, as far as conditions use them. */

import { binaryValue } from "./operators.ts";
import { PythonProblem } from "./problem.ts";
import {
  holds,
  isLess,
  itemsOf,
  type PythonFunction,
  type PythonValue,
  pythonFunction,
  reprOf,
  requireHashable,
  strOf,
  typeOf,
} from "./values.ts";

/** Longest `range`. */
const longestRange = 10_000n;

type Call = readonly [
  least: number,
  most: number,
  call: (values: readonly PythonValue[], at: number) => PythonValue,
];

const functions: Readonly<Record<string, Call>> = {
  any: [1, 1, ([values = null], at) => itemsOf(values, at).some(holds)],
  all: [1, 1, ([values = null], at) => itemsOf(values, at).every(holds)],
  len: [
    1,
    1,
    ([value = null], at) => BigInt(typeof value === "string" ? [...value].length : itemsOf(value, at).length),
  ],
  bool: [0, 1, ([value = null]) => holds(value)],
  str: [0, 1, ([value = ""]) => strOf(value)],
  repr: [1, 1, ([value = null]) => reprOf(value)],
  int: [0, 1, ([value = 0n], at) => integer(value, at)],
  float: [0, 1, ([value = 0], at) => float(value, at)],
  abs: [
    1,
    1,
    ([value = null], at) => {
      if (typeof value === "boolean") return value ? 1n : 0n;
      if (typeof value === "bigint") return value < 0n ? -value : value;
      if (typeof value !== "number")
        throw new PythonProblem("python", `${reprOf(value)} is not a number`, at);
      return Math.abs(value);
    },
  ],
  list: [0, 1, ([value], at) => ({ kind: "list", items: value === undefined ? [] : itemsOf(value, at) })],
  tuple: [0, 1, ([value], at) => ({ kind: "tuple", items: value === undefined ? [] : itemsOf(value, at) })],
  set: [0, 1, ([value], at) => ({ kind: "set", items: value === undefined ? [] : members(value, at) })],
  sorted: [1, 1, ([value = null], at) => ({ kind: "list", items: sorted(itemsOf(value, at), at) })],
  min: [1, 1000, (values, at) => extreme(values, at, 0)],
  max: [1, 1000, (values, at) => extreme(values, at, -1)],
  sum: [
    1,
    1,
    ([value = null], at) => itemsOf(value, at).reduce((sum, each) => binaryValue("+", sum, each, at), 0n),
  ],
  range: [
    1,
    2,
    ([first = null, second], at) => {
      const [from, to] = second === undefined ? [0n, first] : [first, second];
      if (typeof from !== "bigint" || typeof to !== "bigint")
        throw new PythonProblem("python", "`range` needs whole numbers", at);
      if (to - from > longestRange) throw new PythonProblem("unsupported", "this `range` is too long", at);
      const count = to > from ? Number(to - from) : 0;
      return { kind: "list", items: Array.from({ length: count }, (_, index) => from + BigInt(index)) };
    },
  ],
};

/** The builtin function of a name, if it is one that is evaluated here. */
export function builtinFunction(name: string): PythonFunction | undefined {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined;
  return found === undefined ? undefined : pythonFunction(name, ...found);
}

function members(value: PythonValue, at: number): readonly PythonValue[] {
  const items = itemsOf(value, at);
  for (const item of items) requireHashable(item, at);
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = reprOf(item);
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

function integer(value: PythonValue, at: number): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number" && Number.isFinite(value)) return BigInt(Math.trunc(value));
  if (typeof value === "string" && /^\s*[+-]?\d+(?:_\d+)*\s*$/.test(value))
    return BigInt(value.trim().replaceAll("_", "").replace(/^\+/, ""));
  throw new PythonProblem("python", `${reprOf(value)} is not a whole number`, at);
}

function float(value: PythonValue, at: number): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (typeof value === "string" && /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/.test(value))
    return Number(value);
  throw new PythonProblem(
    "python",
    typeof value === "string" ? `${reprOf(value)} is not a number` : `a ${typeOf(value)} is not a number`,
    at,
  );
}

function sorted(values: readonly PythonValue[], at: number): readonly PythonValue[] {
  return [...values].sort((a, b) => (isLess(a, b, false, at) ? -1 : isLess(b, a, false, at) ? 1 : 0));
}

function extreme(values: readonly PythonValue[], at: number, which: 0 | -1): PythonValue {
  const [only = null] = values;
  const among = sorted(values.length === 1 ? itemsOf(only, at) : values, at).at(which);
  if (among === undefined) throw new PythonProblem("python", "there is nothing to choose from", at);
  return among;
}
