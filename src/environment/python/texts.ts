/** The methods of Python's texts, lists and dicts. */
import { PythonProblem } from "./problem.ts";
import {
  areEqual,
  type PythonDict,
  type PythonFunction,
  type PythonValue,
  pythonFunction,
  textOf,
  typeName,
  valuesOf,
} from "./values.ts";

type Method = readonly [
  least: number,
  most: number,
  call: (text: string, ...rest: PythonValue[]) => PythonValue,
];

const spaces = "[\\s\\x1c-\\x1f\\x85]";
const trimmed = (text: string, side: "left" | "right" | "both", characters: PythonValue | undefined) => {
  const set =
    typeof characters === "string"
      ? characters === ""
        ? "(?!)"
        : `[${characters.replace(/[\]\\^-]/g, "\\$&")}]`
      : spaces;
  const start = side === "right" ? "" : `^(?:${set})+`;
  const end = side === "left" ? "" : `(?:${set})+$`;
  return text.replace(new RegExp([start, end].filter((each) => each !== "").join("|"), "gu"), "");
};
const whole = (value: PythonValue | undefined, fallback: number): number => {
  if (value === undefined || value === null) return fallback;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  throw new TypeError(`a whole number is expected, not a value of type ${typeName(value)}`);
};
const word = (value: PythonValue | undefined): string => {
  if (typeof value === "string") return value;
  throw new TypeError(`text is expected, not a value of type ${typeName(value ?? null)}`);
};
const list = (items: readonly PythonValue[]): PythonValue => ({ kind: "list", items });
const tuple = (items: readonly PythonValue[]): PythonValue => ({ kind: "tuple", items });
const any = (value: PythonValue | undefined): readonly string[] =>
  typeof value === "object" && value !== null && "items" in value && value.kind === "tuple"
    ? value.items.map(word)
    : [word(value)];
const part = (text: string, start: PythonValue | undefined, end: PythonValue | undefined) =>
  text.slice(whole(start, 0), whole(end, text.length));
const all = (text: string, pattern: RegExp) => text !== "" && [...text].every((each) => pattern.test(each));

function split(text: string, by: PythonValue | undefined, most: number, fromRight: boolean): PythonValue {
  const plain = by === undefined || by === null;
  if (!plain && by === "") throw new TypeError("texts cannot be split by nothing");
  const pieces = plain ? text.split(/\s+/u).filter((each) => each !== "") : text.split(word(by));
  if (most < 0 || pieces.length <= most + 1) return list(pieces);
  const glue = plain ? " " : word(by);
  return list(
    fromRight
      ? [pieces.slice(0, pieces.length - most).join(glue), ...pieces.slice(pieces.length - most)]
      : [...pieces.slice(0, most), pieces.slice(most).join(glue)],
  );
}

const methods: Readonly<Record<string, Method>> = {
  startswith: [
    1,
    3,
    (text, start, from, to) => any(start).some((each) => part(text, from, to).startsWith(each)),
  ],
  endswith: [1, 3, (text, end, from, to) => any(end).some((each) => part(text, from, to).endsWith(each))],
  lower: [0, 0, (text) => text.toLowerCase()],
  upper: [0, 0, (text) => text.toUpperCase()],
  casefold: [0, 0, (text) => text.toLowerCase().replaceAll("ß", "ss")],
  strip: [0, 1, (text, characters) => trimmed(text, "both", characters)],
  lstrip: [0, 1, (text, characters) => trimmed(text, "left", characters)],
  rstrip: [0, 1, (text, characters) => trimmed(text, "right", characters)],
  split: [0, 2, (text, by, most) => split(text, by, whole(most, -1), false)],
  rsplit: [0, 2, (text, by, most) => split(text, by, whole(most, -1), true)],
  splitlines: [0, 0, (text) => list(text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r\n|\n|\r/))],
  partition: [
    1,
    1,
    (text, by) => {
      const at = text.indexOf(word(by));
      return tuple(at < 0 ? [text, "", ""] : [text.slice(0, at), word(by), text.slice(at + word(by).length)]);
    },
  ],
  rpartition: [
    1,
    1,
    (text, by) => {
      const at = text.lastIndexOf(word(by));
      return tuple(at < 0 ? ["", "", text] : [text.slice(0, at), word(by), text.slice(at + word(by).length)]);
    },
  ],
  replace: [2, 2, (text, from, to) => text.split(word(from)).join(word(to))],
  removeprefix: [
    1,
    1,
    (text, start) => (text.startsWith(word(start)) ? text.slice(word(start).length) : text),
  ],
  removesuffix: [
    1,
    1,
    (text, end) => (word(end) !== "" && text.endsWith(word(end)) ? text.slice(0, -word(end).length) : text),
  ],
  find: [1, 1, (text, what) => BigInt(text.indexOf(word(what)))],
  rfind: [1, 1, (text, what) => BigInt(text.lastIndexOf(word(what)))],
  index: [
    1,
    1,
    (text, what) => {
      const at = text.indexOf(word(what));
      if (at < 0) throw new TypeError(`\`${word(what)}\` is not in \`${text}\``);
      return BigInt(at);
    },
  ],
  count: [
    1,
    1,
    (text, what) => BigInt(word(what) === "" ? text.length + 1 : text.split(word(what)).length - 1),
  ],
  join: [
    1,
    1,
    (text, items) =>
      valuesOf(items ?? null, 0)
        .map(word)
        .join(text),
  ],
  isdigit: [0, 0, (text) => all(text, /\p{Nd}/u)],
  isdecimal: [0, 0, (text) => all(text, /\p{Nd}/u)],
  isnumeric: [0, 0, (text) => all(text, /\p{N}/u)],
  isalpha: [0, 0, (text) => all(text, /\p{L}/u)],
  isalnum: [0, 0, (text) => all(text, /[\p{L}\p{N}]/u)],
  isspace: [0, 0, (text) => all(text, /\s/u)],
  islower: [0, 0, (text) => /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text)],
  isupper: [0, 0, (text) => /\p{Lu}/u.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text)],
  zfill: [1, 1, (text, width) => text.padStart(whole(width, 0), "0")],
};

/** Methods that texts have in Python and not here. */
const others = new Set(
  "capitalize center encode expandtabs format format_map isascii isidentifier isprintable istitle ljust maketrans rindex rjust swapcase title translate".split(
    " ",
  ),
);

/**
 * The method of a text.
 *
 * @throws {PythonProblem}
 */
export function textMethod(text: string, name: string, at: number): PythonFunction {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined)
    throw others.has(name)
      ? new PythonProblem("unsupported", `\`${name}\` of a text is not evaluated here`, at)
      : new PythonProblem("python", `a text has no \`${name}\``, at);
  const [least, most, call] = method;
  return pythonFunction(name, least, most, (values, where) => {
    try {
      return call(text, ...values);
    } catch (thrown) {
      if (thrown instanceof TypeError) throw new PythonProblem("python", thrown.message, where);
      throw thrown;
    }
  });
}

/** The method of a dict. @throws {PythonProblem} */
export function dictMethod({ entries }: PythonDict, name: string, at: number): PythonFunction {
  const find = (key: PythonValue | undefined) =>
    entries.find(([other]) => key !== undefined && areEqual(other, key))?.[1];
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
export function collectionMethod(
  collection: { readonly kind: "list" | "tuple" | "set"; readonly items: readonly PythonValue[] },
  name: string,
  at: number,
): PythonFunction {
  const { kind, items } = collection;
  const sameIn = (other: PythonValue | undefined, where: number) => {
    const others = valuesOf(other ?? null, where);
    return (item: PythonValue) => others.some((each) => areEqual(each, item));
  };
  if (kind !== "set" && name === "count")
    return pythonFunction(name, 1, 1, ([wanted]) =>
      BigInt(items.filter((item) => areEqual(item, wanted ?? null)).length),
    );
  if (kind !== "set" && name === "index")
    return pythonFunction(name, 1, 1, ([wanted], where) => {
      const index = items.findIndex((item) => areEqual(item, wanted ?? null));
      if (index < 0)
        throw new PythonProblem("python", `\`${textOf(wanted ?? null)}\` is not in there`, where);
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
