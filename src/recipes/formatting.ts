/** Python's ways of putting values into texts. */
import { NotUnderstood, PythonException } from "../python/problem.ts";
import {
  bounded,
  isDictionary,
  isSequence,
  numberIn,
  quoted,
  textIn,
  textOf,
  typeName,
  type Value,
  wholeNumber,
} from "./values.ts";

/** Widest field. */
const widest = 1000;

/** `format(value, spec)`. @throws NotUnderstood, PythonException */
export function formatted(value: Value, spec: string): string {
  if (spec === "") return textOf(value);
  const match = /^(?:(.)?([<>^=]))?([+ -])?(#)?(0)?(\d{0,4})(,|_)?(?:\.(\d{1,3}))?([a-zA-Z%])?$/u.exec(spec);
  if (match === null) throw new NotUnderstood(`the format \`${spec}\``);
  const [, fill, align, sign = "", alternate, zero, width = "", group, precision, type = ""] = match;
  if (alternate !== undefined || group !== undefined || align === "=")
    throw new NotUnderstood(`the format \`${spec}\``);
  const number = textIn(value) === undefined ? numberIn(value) : undefined;
  let text: string;
  if (number === undefined) {
    if (type !== "" && type !== "s") throw new PythonException("ValueError", `unknown format code '${type}'`);
    text = textOf(value);
    if (precision !== undefined) text = text.slice(0, Number(precision));
  } else {
    text = numberText(value, number, type, precision);
    if (sign !== "" && sign !== "-" && number >= 0) text = sign + text;
  }
  const missing = Math.min(Number(width || 0), widest) - text.length;
  if (missing <= 0) return bounded(text);
  const filling = (fill ?? (zero === undefined ? " " : "0")).repeat(missing);
  const side = align ?? (number === undefined ? "<" : ">");
  if (side === "^") {
    const left = Math.floor(missing / 2);
    return filling.slice(0, left) + text + filling.slice(left);
  }
  return side === "<" ? text + filling : filling + text;
}

function numberText(value: Value, number: number, type: string, precision: string | undefined): string {
  if (type === "" || type === "s") {
    if (precision !== undefined) throw new NotUnderstood("a precision without a type");
    return textOf(value);
  }
  if (type === "f" || type === "F") return number.toFixed(Number(precision ?? 6));
  const bases: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };
  const base = Object.hasOwn(bases, type) ? bases[type] : undefined;
  if (base === undefined) throw new NotUnderstood(`the format code \`${type}\``);
  const text = wholeNumber(value).toString(base);
  return type === "X" ? text.toUpperCase() : text;
}

/** How names in a format lead to values. */
export interface FieldAccess {
  attribute(value: Value, name: string): Value;
  item(value: Value, index: Value): Value;
}

/** `text.format(…)`. @throws NotUnderstood, PythonException */
export function formatText(
  text: string,
  values: readonly Value[],
  named: ReadonlyMap<string, Value>,
  access: FieldAccess,
): string {
  let next = 0;
  const fieldValue = (field: string): Value => {
    const [, name = "", path = ""] = /^([^.[]*)(.*)$/s.exec(field) ?? [];
    let value: Value | undefined;
    if (name === "") value = values[next++];
    else if (/^\d+$/.test(name)) value = values[Number(name)];
    else value = named.get(name);
    if (value === undefined)
      throw new PythonException(/^\d*$/.test(name) ? "IndexError" : "KeyError", `no value for {${name}}`);
    for (const [, attribute, index] of path.matchAll(/\.(\w+)|\[([^\]]+)\]/g))
      value =
        attribute === undefined
          ? access.item(value, /^\d+$/.test(index ?? "") ? Number(index) : (index ?? ""))
          : access.attribute(value, attribute);
    return value;
  };
  const filled = text.replace(
    /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g,
    (whole, field?: string, conversion?: string, spec?: string) => {
      if (whole === "{{") return "{";
      if (whole === "}}") return "}";
      if (field === undefined) throw new PythonException("ValueError", `a single \`${whole}\` in a format`);
      const value = fieldValue(field);
      const format = (spec ?? "").replace(/\{([^{}]*)\}/g, (_, inner: string) => textOf(fieldValue(inner)));
      return formatted(converted(value, conversion ?? ""), format);
    },
  );
  return bounded(filled);
}

/** A value after `!r` or `!s`. */
export function converted(value: Value, conversion: string): Value {
  if (conversion === "") return value;
  return conversion === "s" ? textOf(value) : quoted(value);
}

/** `text % values`. @throws NotUnderstood, PythonException */
export function percentText(text: string, given: Value): string {
  const values = isSequence(given) && given.kind === "tuple" ? given.items : [given];
  let next = 0;
  const filled = text.replace(
    /%(?:\(([^)]*)\))?([-+ 0]*)(\d{0,3})(?:\.(\d{1,3}))?([a-zA-Z%])?/g,
    (
      whole,
      name: string | undefined,
      flags: string,
      width: string,
      precision: string | undefined,
      type?: string,
    ) => {
      if (type === "%") return "%";
      if (type === undefined) throw new PythonException("ValueError", "an incomplete format");
      const value = name === undefined ? values[next++] : namedValue(given, name);
      if (value === undefined)
        throw new PythonException("TypeError", "not enough arguments for format string");
      const code = type === "i" || type === "u" ? "d" : type;
      const text = code === "r" ? quoted(value) : code === "s" ? textOf(value) : undefined;
      if (text === undefined && !/^[dxXof]$/.test(code)) throw new NotUnderstood(`the format \`${whole}\``);
      if (text === undefined && numberIn(value) === undefined)
        throw new PythonException("TypeError", `%${code} needs a number, not ${typeName(value)}`);
      const shown = code === "d" && typeof value === "object" ? Math.trunc(numberIn(value) ?? 0) : value;
      const part = text ?? formatted(shown, (precision === undefined ? "" : `.${precision}`) + code);
      const cut = text !== undefined && precision !== undefined ? part.slice(0, Number(precision)) : part;
      const signed = /[+ ]/.test(flags) && text === undefined && !cut.startsWith("-");
      const full = signed ? (flags.includes("+") ? "+" : " ") + cut : cut;
      if (flags.includes("-")) return full.padEnd(Number(width));
      return full.padStart(Number(width), flags.includes("0") && text === undefined ? "0" : " ");
    },
  );
  if (!isDictionary(given) && next < values.length && isSequence(given))
    throw new PythonException("TypeError", "not all arguments converted during string formatting");
  if (!isDictionary(given) && !isSequence(given) && next === 0)
    throw new PythonException("TypeError", "not all arguments converted during string formatting");
  return bounded(filled);
}

function namedValue(given: Value, name: string): Value | undefined {
  if (!isDictionary(given)) throw new PythonException("TypeError", "format requires a mapping");
  const found = given.entries.get(`t${name}`);
  if (found === undefined) throw new PythonException("KeyError", name);
  return found[1];
}
