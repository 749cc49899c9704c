/** The values that recipes have here. */
import { NotUnderstood, PythonException } from "../python/problem.ts";
import { floatText, quotedText } from "../python/texts.ts";

/** A value. Texts and whole numbers are those of JavaScript, None is null. */
export type Value =
  | null
  | boolean
  | number
  | string
  | PythonFloat
  | Prefix
  | Sequence
  | Dictionary
  | ObjectValue;

export interface PythonFloat {
  readonly kind: "float";
  readonly value: number;
}

/** A text that is a path: its attributes are paths below it. */
export interface Prefix {
  readonly kind: "prefix";
  readonly text: string;
}

/** A list, tuple or set; lists and sets can change. */
export interface Sequence {
  readonly kind: "list" | "tuple" | "set";
  items: Value[];
}

export interface Dictionary {
  readonly kind: "dict";
  /** By {@link keyOf} the key. */
  readonly entries: Map<string, readonly [Value, Value]>;
}

/** Arguments of a call. */
export interface CallArguments {
  readonly values: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** Everything else: what it can do is what it has. */
export interface ObjectValue {
  readonly kind: "object";
  /** Name of its class. */
  readonly type: string;
  /** Undefined: there is no such attribute. */
  attribute?(name: string): Value | undefined;
  setAttribute?(name: string, value: Value): void;
  call?(given: CallArguments): Value;
  item?(index: Value): Value;
  contains?(value: Value): boolean;
  iterate?(): Value[];
  /** `str(value)`. */
  text?(): string;
  equals?(other: Value): boolean;
  /** Negative, zero or positive; undefined: not comparable. */
  compare?(other: Value): number | undefined;
  truth?(): boolean;
  /** `value + other`, or `other + value`. */
  plus?(other: Value, reversed: boolean): Value;
}

/** Longest text and most items of a value. */
export const largest = 100_000;

export function isObject(value: Value): value is ObjectValue {
  return typeof value === "object" && value !== null && value.kind === "object";
}

export function isSequence(value: Value): value is Sequence {
  return (
    typeof value === "object" &&
    value !== null &&
    (value.kind === "list" || value.kind === "tuple" || value.kind === "set")
  );
}

export function isDictionary(value: Value): value is Dictionary {
  return typeof value === "object" && value !== null && value.kind === "dict";
}

export const list = (items: readonly Value[]): Sequence => ({ kind: "list", items: bounded([...items]) });
export const tuple = (items: readonly Value[]): Sequence => ({ kind: "tuple", items: bounded([...items]) });
export const prefix = (text: string): Prefix => ({ kind: "prefix", text: bounded(text) });

export function set(items: readonly Value[]): Sequence {
  return { kind: "set", items: distinct(items) };
}

export function distinct(items: readonly Value[]): Value[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}

export function dictionary(entries: Iterable<readonly [Value, Value]>): Dictionary {
  const made: Dictionary = { kind: "dict", entries: new Map() };
  for (const [key, value] of entries) put(made, key, value);
  return made;
}

/** `dict[key] = value`. */
export function put(target: Dictionary, key: Value, value: Value): void {
  const name = keyOf(key);
  target.entries.set(name, [target.entries.get(name)?.[0] ?? key, value]);
  bounded(target.entries);
}

/** @throws NotUnderstood when a text or collection is too large */
export function bounded<T extends string | { readonly length: number } | { readonly size: number }>(
  value: T,
): T {
  const whole: string | { readonly length: number } | { readonly size: number } = value;
  const size = typeof whole === "string" || "length" in whole ? whole.length : whole.size;
  if (size > largest) throw new NotUnderstood("a value that is too large");
  return value;
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

/** What is equal as a key. @throws PythonException for what cannot be one */
export function keyOf(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return `n${Number(value)}`;
  if (typeof value === "number") return `n${value}`;
  const text = textIn(value);
  if (text !== undefined) return `t${text}`;
  if (typeof value === "string" || value.kind === "prefix") return "";
  if (value.kind === "float") return `n${value.value}`;
  if (value.kind === "tuple")
    return `(${value.items
      .map(keyOf)
      .map((key) => `${key.length}:${key}`)
      .join("")})`;
  if (value.kind !== "object") throw new PythonException("TypeError", `unhashable type: '${value.kind}'`);
  if (value.equals !== undefined) return `o${value.type} ${value.text?.() ?? ""}`;
  let identity = identities.get(value);
  if (identity === undefined) {
    identity = ++lastIdentity;
    identities.set(value, identity);
  }
  return `i${identity}`;
}

/** The text of a value that is one: a text or a path. */
export function textIn(value: Value | undefined): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null && value.kind === "prefix" ? value.text : undefined;
}

/** The number of a value that is one. */
export function numberIn(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" && value !== null && value.kind === "float" ? value.value : undefined;
}

export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "int";
  if (typeof value === "string") return "str";
  if (value.kind === "prefix") return "Prefix";
  return value.kind === "object" ? value.type : value.kind;
}

/** `bool(value)`. */
export function isTrue(value: Value): boolean {
  if (value === null) return false;
  if (typeof value !== "object") return Boolean(value);
  if (value.kind === "prefix") return value.text !== "";
  if (value.kind === "float") return value.value !== 0;
  if (value.kind === "dict") return value.entries.size > 0;
  if (value.kind !== "object") return value.items.length > 0;
  return value.truth?.() ?? true;
}

/** `a == b`. */
export function areEqual(a: Value, b: Value): boolean {
  const [left, right] = [numberIn(a), numberIn(b)];
  if (left !== undefined && right !== undefined) return left === right;
  const [first, second] = [textIn(a), textIn(b)];
  if (first !== undefined && second !== undefined) return first === second;
  if (isObject(a)) return a.equals?.(b) ?? a === b;
  if (isObject(b)) return b.equals?.(a) ?? false;
  if (isSequence(a) && isSequence(b)) {
    if (a.kind !== b.kind || a.items.length !== b.items.length) return false;
    if (a.kind === "set") return a.items.every((item) => has(b.items, item));
    return a.items.every((item, index) => areEqual(item, b.items[index] ?? null));
  }
  if (isDictionary(a) && isDictionary(b))
    return (
      a.entries.size === b.entries.size &&
      [...a.entries].every(([key, [, value]]) => {
        const other = b.entries.get(key);
        return other !== undefined && areEqual(value, other[1]);
      })
    );
  return a === null && b === null;
}

export function has(items: readonly Value[], value: Value): boolean {
  return items.some((item) => areEqual(item, value));
}

/** The order of two values, negative when `a` comes first. @throws PythonException when they have none */
export function compareValues(a: Value, b: Value): number {
  const [left, right] = [numberIn(a), numberIn(b)];
  if (left !== undefined && right !== undefined) return left - right;
  const [first, second] = [textIn(a), textIn(b)];
  if (first !== undefined && second !== undefined) return first < second ? -1 : first > second ? 1 : 0;
  if (isSequence(a) && isSequence(b) && a.kind === b.kind && a.kind !== "set") {
    for (const [index, item] of a.items.entries()) {
      const other = b.items[index];
      if (other === undefined) return 1;
      if (!areEqual(item, other)) return compareValues(item, other);
    }
    return a.items.length - b.items.length;
  }
  const order = isObject(a) ? a.compare?.(b) : undefined;
  const reversed = order === undefined && isObject(b) ? b.compare?.(a) : undefined;
  if (order !== undefined) return order;
  if (reversed !== undefined) return -reversed;
  throw new PythonException("TypeError", `'${typeName(a)}' and '${typeName(b)}' have no order`);
}

/** `value in container`. @throws PythonException */
export function isIn(value: Value, container: Value): boolean {
  const whole = textIn(container);
  if (whole !== undefined) {
    const part = textIn(value);
    if (part === undefined) throw new PythonException("TypeError", "a text cannot contain this");
    return whole.includes(part);
  }
  if (isSequence(container)) return has(container.items, value);
  if (isDictionary(container)) return container.entries.has(keyOf(value));
  if (isObject(container)) {
    if (container.contains !== undefined) return container.contains(value);
    if (container.iterate !== undefined) return has(container.iterate(), value);
  }
  throw new PythonException("TypeError", `argument of type '${typeName(container)}' is not iterable`);
}

/** The values that a loop goes through. @throws PythonException */
export function valuesOf(value: Value): Value[] {
  const text = textIn(value);
  if (text !== undefined) return [...text];
  if (isSequence(value)) return [...value.items];
  if (isDictionary(value)) return [...value.entries.values()].map(([key]) => key);
  if (isObject(value) && value.iterate !== undefined) return value.iterate();
  throw new PythonException("TypeError", `'${typeName(value)}' object is not iterable`);
}

/** Deepest nesting of values that is written as text. */
const deepest = 20;

/** `str(value)`. @throws NotUnderstood for what has no text here */
export function textOf(value: Value, depth = 0): string {
  if (depth > deepest) throw new NotUnderstood("a value that is nested too deeply");
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return value;
  if (value.kind === "prefix") return value.text;
  if (value.kind === "float") return floatText(value.value);
  if (value.kind === "dict")
    return bounded(
      `{${[...value.entries.values()].map(([key, one]) => `${quoted(key, depth + 1)}: ${quoted(one, depth + 1)}`).join(", ")}}`,
    );
  if (value.kind === "object") {
    if (value.text === undefined) throw new NotUnderstood(`the text of a ${value.type}`);
    return value.text();
  }
  const items = bounded(value.items.map((item) => quoted(item, depth + 1)).join(", "));
  if (value.kind === "list") return `[${items}]`;
  if (value.kind === "set") return items === "" ? "set()" : `{${items}}`;
  return value.items.length === 1 ? `(${items},)` : `(${items})`;
}

/** `repr(value)`. @throws NotUnderstood for what has no text here */
export function quoted(value: Value, depth = 0): string {
  const text = textIn(value);
  if (text === undefined) {
    if (isObject(value)) throw new NotUnderstood(`the representation of a ${value.type}`);
    return textOf(value, depth);
  }
  return quotedText(text);
}

/** A function that the program provides. */
export function native(name: string, call: (given: CallArguments) => Value): ObjectValue {
  return { kind: "object", type: "function", call, text: () => `<function ${name}>` };
}

/** A function of values without names. @throws PythonException from the call when there are more or fewer */
export function plain(
  name: string,
  least: number,
  most: number,
  call: (...values: Value[]) => Value,
): ObjectValue {
  return native(name, ({ values, named }) => {
    const [unknown] = named.keys();
    if (unknown !== undefined) throw new NotUnderstood(`the argument \`${unknown}\` of \`${name}\``);
    if (values.length < least || values.length > most)
      throw new PythonException("TypeError", `${name}() does not take ${values.length} arguments`);
    return call(...values);
  });
}

/** The whole number of a value. @throws PythonException if it is not one */
export function wholeNumber(value: Value | undefined): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return value;
  throw new PythonException("TypeError", `'${typeName(value ?? null)}' is not a whole number`);
}

/** The text of a value. @throws PythonException if it is not one */
export function word(value: Value | undefined): string {
  const text = textIn(value);
  if (text === undefined)
    throw new PythonException("TypeError", `expected str, not ${typeName(value ?? null)}`);
  return text;
}
