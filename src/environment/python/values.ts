/** The values that Python expressions have here. */
import { floatText, quotedText } from "../../python/texts.ts";
import { PythonProblem } from "./problem.ts";

/** A value. Whole numbers are bigints, others are numbers; text is a string, None is null. */
export type PythonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | PythonCollection
  | PythonDict
  | PythonObject
  | PythonFunction;

export interface PythonCollection {
  readonly kind: "list" | "tuple" | "set";
  readonly items: readonly PythonValue[];
}

export interface PythonDict {
  readonly kind: "dict";
  readonly entries: readonly (readonly [PythonValue, PythonValue])[];
  /** `os.environ`: a name that is not set has an error of its own. */
  readonly environment?: true;
}

export type ObjectComparison = "==" | "<" | "<=" | ">" | ">=";

/** An object that the program provides. */
export interface PythonObject {
  readonly kind: "object";
  readonly type: string;
  readonly text: string;
  /** The value of an attribute; undefined when there is none. Throws {@link PythonProblem} for those not provided. */
  readonly attribute: (name: string, at: number) => PythonValue | undefined;
  /** `object < other` and so on; undefined: not comparable. Without it, objects are equal only to themselves. */
  readonly compare?: (operator: ObjectComparison, other: PythonValue) => boolean | undefined;
  /** `value in object`. */
  readonly contains?: (value: PythonValue, at: number) => boolean;
  /** `object[index]`. */
  readonly item?: (index: PythonValue, at: number) => PythonValue;
}

/** What can be called. */
export interface PythonFunction {
  readonly kind: "function";
  readonly name: string;
  readonly call: (arguments_: PythonArguments) => PythonValue;
}

/** Arguments of a call. */
export interface PythonArguments {
  readonly values: readonly PythonValue[];
  readonly named: ReadonlyMap<string, PythonValue>;
  readonly at: number;
}

/** A function of a fixed number of values. @throws {PythonProblem} from the call when there are more or fewer */
export function pythonFunction(
  name: string,
  least: number,
  most: number,
  call: (values: readonly PythonValue[], at: number) => PythonValue,
): PythonFunction {
  return {
    kind: "function",
    name,
    call: ({ values, named, at }) => {
      if (named.size > 0)
        throw new PythonProblem("unsupported", `named arguments of \`${name}\` are not evaluated here`, at);
      if (values.length < least || values.length > most)
        throw new PythonProblem("python", `\`${name}\` does not take ${values.length} arguments`, at);
      return call(values, at);
    },
  };
}

/** Name of a value's type, as Python has it. */
export function typeOf(value: PythonValue): string {
  if (value === null) return "NoneType";
  if (typeof value === "string") return "str";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  return value.kind === "object" ? value.type : value.kind;
}

/** `bool(value)`. */
export function holds(value: PythonValue): boolean {
  if (value === null || typeof value === "boolean") return value === true;
  if (typeof value === "string") return value !== "";
  if (typeof value === "bigint" || typeof value === "number") return Number(value) !== 0;
  if (value.kind === "dict") return value.entries.length > 0;
  return value.kind === "object" || value.kind === "function" || value.items.length > 0;
}

function asNumber(value: PythonValue): bigint | number | undefined {
  if (typeof value === "boolean") return value ? 1n : 0n;
  return typeof value === "bigint" || typeof value === "number" ? value : undefined;
}

/** `a == b`. */
export function equalValues(a: PythonValue, b: PythonValue): boolean {
  const [x, y] = [asNumber(a), asNumber(b)];
  if (x !== undefined && y !== undefined) return typeof x === typeof y ? x === y : Number(x) === Number(y);
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") {
    if (isObject(a)) return a.compare?.("==", b) ?? false;
    if (isObject(b)) return b.compare?.("==", a) ?? false;
    return a === b;
  }
  if (a.kind === "object") return a.compare?.("==", b) ?? a === b;
  if (b.kind === "object") return b.compare?.("==", a) ?? false;
  if (a.kind === "dict" || b.kind === "dict")
    return (
      a.kind === "dict" &&
      b.kind === "dict" &&
      a.entries.length === b.entries.length &&
      a.entries.every(([key, value]) => {
        const other = b.entries.find(([name]) => equalValues(name, key));
        return other !== undefined && equalValues(other[1], value);
      })
    );
  if (a.kind === "function" || b.kind === "function") return a === b;
  if (a.kind !== b.kind || a.items.length !== b.items.length) return false;
  return a.kind === "set"
    ? a.items.every((item) => b.items.some((other) => equalValues(item, other)))
    : a.items.every((item, index) => equalValues(item, b.items[index] ?? null));
}

function isObject(value: PythonValue): value is PythonObject {
  return typeof value === "object" && value !== null && value.kind === "object";
}

/** `a < b` (or `<=`). @throws {PythonProblem} for types without an order */
export function isLess(a: PythonValue, b: PythonValue, orEqual: boolean, at: number): boolean {
  const [x, y] = [asNumber(a), asNumber(b)];
  if (x !== undefined && y !== undefined) return orEqual ? x <= y : x < y;
  if (typeof a === "string" && typeof b === "string") return orEqual ? !byCodePoint(b, a) : byCodePoint(a, b);
  if (isObject(a) || isObject(b)) {
    const answer = isObject(a)
      ? a.compare?.(orEqual ? "<=" : "<", b)
      : isObject(b)
        ? b.compare?.(orEqual ? ">=" : ">", a)
        : undefined;
    if (answer !== undefined) return answer;
  } else if (
    typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    a.kind === b.kind
  ) {
    if (a.kind === "set" && b.kind === "set") {
      const within = a.items.every((item) => b.items.some((other) => equalValues(item, other)));
      return within && (orEqual || a.items.length < b.items.length);
    }
    if ((a.kind === "list" || a.kind === "tuple") && "items" in b) {
      for (const [index, item] of a.items.entries()) {
        const other = b.items[index];
        if (other === undefined) return false;
        if (!equalValues(item, other)) return isLess(item, other, false, at);
      }
      return orEqual || a.items.length < b.items.length;
    }
  }
  throw new PythonProblem("python", `${typeOf(a)} and ${typeOf(b)} have no order`, at);
}

/** Python compares texts by code points, JavaScript by UTF-16 units. */
function byCodePoint(a: string, b: string): boolean {
  const [left, right] = [[...a], [...b]];
  for (const [index, character] of left.entries()) {
    const other = right[index];
    if (other === undefined) return false;
    if (character !== other) return (character.codePointAt(0) ?? 0) < (other.codePointAt(0) ?? 0);
  }
  return left.length < right.length;
}

/** `value in container`. @throws {PythonProblem} when it cannot be in there */
export function isMember(value: PythonValue, container: PythonValue, at: number): boolean {
  if (typeof container === "string") {
    if (typeof value === "string") return container.includes(value);
    throw new PythonProblem("python", `a text cannot contain a value of type ${typeOf(value)}`, at);
  }
  if (typeof container === "object" && container !== null) {
    if (container.kind === "dict" || container.kind === "set") requireHashable(value, at);
    if (container.kind === "dict") return container.entries.some(([key]) => equalValues(key, value));
    if (container.kind === "object" && container.contains !== undefined) return container.contains(value, at);
    if ("items" in container) return container.items.some((item) => equalValues(item, value));
  }
  throw new PythonProblem("python", `\`in\` cannot be used with a value of type ${typeOf(container)}`, at);
}

/** @throws {PythonProblem} for what cannot be in a set, or be the key of a dict */
export function requireHashable(value: PythonValue, at: number): void {
  if (typeof value !== "object" || value === null) return;
  if (value.kind === "tuple") for (const item of value.items) requireHashable(item, at);
  else if (value.kind !== "object" && value.kind !== "function")
    throw new PythonProblem("python", `a ${value.kind} cannot be in a set or a key`, at);
}

/** The values that a loop goes through. @throws {PythonProblem} */
export function itemsOf(value: PythonValue, at: number): readonly PythonValue[] {
  if (typeof value === "string") return [...value];
  if (typeof value === "object" && value !== null) {
    if (value.kind === "dict") return value.entries.map(([key]) => key);
    if ("items" in value) return value.items;
  }
  throw new PythonProblem("python", `a value of type ${typeOf(value)} has no items`, at);
}

/** `str(value)`. */
export function strOf(value: PythonValue): string {
  if (typeof value === "string") return value;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return floatText(value);
  if (value.kind === "object") return value.text;
  if (value.kind === "function") return `<function ${value.name}>`;
  if (value.kind === "dict")
    return `{${value.entries.map(([key, each]) => `${reprOf(key)}: ${reprOf(each)}`).join(", ")}}`;
  const items = value.items.map(reprOf).join(", ");
  if (value.kind === "list") return `[${items}]`;
  if (value.kind === "set") return items === "" ? "set()" : `{${items}}`;
  return value.items.length === 1 ? `(${items},)` : `(${items})`;
}

/** `repr(value)`. */
export function reprOf(value: PythonValue): string {
  if (typeof value !== "string") return strOf(value);
  return quotedText(value);
}
