/** Methods of texts. */
import { type FieldAccess, formatText, texts } from "./formatting.ts";
import { NotUnderstood, PythonException } from "./problem.ts";
import {
  bounded,
  isSequence,
  list,
  native,
  type ObjectValue,
  plain,
  textIn,
  type Value,
  valuesOf,
  wholeNumber,
  word,
} from "./values.ts";

type Method = readonly [least: number, most: number, call: (text: string, ...values: Value[]) => Value];

const methods: Readonly<Record<string, Method>> = {
  upper: [0, 0, (text) => text.toUpperCase()],
  lower: [0, 0, (text) => text.toLowerCase()],
  casefold: [0, 0, (text) => text.toLowerCase()],
  capitalize: [0, 0, (text) => text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase()],
  title: [
    0,
    0,
    (text) =>
      text.replace(
        /\p{L}+/gu,
        (letters) => letters.slice(0, 1).toUpperCase() + letters.slice(1).toLowerCase(),
      ),
  ],
  strip: [0, 1, (text, letters) => stripped(stripped(text, letters, "start"), letters, "end")],
  lstrip: [0, 1, (text, letters) => stripped(text, letters, "start")],
  rstrip: [0, 1, (text, letters) => stripped(text, letters, "end")],
  split: [0, 2, (text, separator, most) => list(split(text, separator, most))],
  rsplit: [0, 2, (text, separator, most) => list(splitFromEnd(text, separator, most))],
  splitlines: [0, 0, (text) => list(lines(text))],
  replace: [2, 3, (text, from, to, most) => replaced(text, word(from), word(to), most)],
  startswith: [1, 1, (text, start) => some(start, (one) => text.startsWith(one))],
  endswith: [1, 1, (text, end) => some(end, (one) => text.endsWith(one))],
  removeprefix: [
    1,
    1,
    (text, start) => (text.startsWith(word(start)) ? text.slice(word(start).length) : text),
  ],
  removesuffix: [
    1,
    1,
    (text, end) => (text.endsWith(word(end)) && word(end) !== "" ? text.slice(0, -word(end).length) : text),
  ],
  join: [1, 1, (text, items = null) => bounded(valuesOf(items).map(word).join(text))],
  find: [1, 1, (text, part) => text.indexOf(word(part))],
  rfind: [1, 1, (text, part) => text.lastIndexOf(word(part))],
  index: [1, 1, (text, part) => position(text.indexOf(word(part)))],
  rindex: [1, 1, (text, part) => position(text.lastIndexOf(word(part)))],
  count: [1, 1, (text, part) => (word(part) === "" ? text.length + 1 : text.split(word(part)).length - 1)],
  partition: [1, 1, (text, separator) => parts(text, text.indexOf(word(separator)), word(separator), false)],
  rpartition: [
    1,
    1,
    (text, separator) => parts(text, text.lastIndexOf(word(separator)), word(separator), true),
  ],
  zfill: [
    1,
    1,
    (text, width) => {
      const sign = /^[+-]/.exec(text)?.[0] ?? "";
      return sign + text.slice(sign.length).padStart(bound(width) - sign.length, "0");
    },
  ],
  ljust: [1, 2, (text, width, fill = " ") => text.padEnd(bound(width), word(fill))],
  rjust: [1, 2, (text, width, fill = " ") => text.padStart(bound(width), word(fill))],
  isdigit: [0, 0, (text) => /^\p{Nd}+$/u.test(text)],
  isnumeric: [0, 0, (text) => /^\p{N}+$/u.test(text)],
  isdecimal: [0, 0, (text) => /^\p{Nd}+$/u.test(text)],
  isalpha: [0, 0, (text) => /^\p{L}+$/u.test(text)],
  isalnum: [0, 0, (text) => /^[\p{L}\p{N}]+$/u.test(text)],
  isspace: [0, 0, (text) => /^\s+$/.test(text)],
  islower: [0, 0, (text) => /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text)],
  isupper: [0, 0, (text) => /\p{Lu}/u.test(text) && !/\p{Ll}/u.test(text)],
};

/** Methods that texts have in Python and not here. */
const others: ReadonlySet<string> = new Set(
  "center encode expandtabs format_map isascii isidentifier isprintable istitle maketrans swapcase translate".split(
    " ",
  ),
);

/** The method of a text; undefined when Python has none of that name. @throws NotUnderstood */
export function textMethod(text: string, name: string, access: FieldAccess): ObjectValue | undefined {
  if (name === "format")
    return native("format", ({ values, named }) => formatText(text, values, named, access));
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method !== undefined) {
    const [least, most, call] = method;
    return plain(name, least, most, (...values) => call(text, ...values));
  }
  if (others.has(name)) throw new NotUnderstood(`the method \`${name}\` of a text`);
  return undefined;
}

function bound(width: Value | undefined): number {
  return Math.min(wholeNumber(width), 1000);
}

function some(given: Value | undefined, test: (one: string) => boolean): boolean {
  const one = textIn(given);
  if (one !== undefined) return test(one);
  if (given !== undefined && isSequence(given)) return given.items.some((item) => test(word(item)));
  throw new PythonException("TypeError", "a text or a tuple of texts is expected");
}

function position(index: number): number {
  if (index < 0) throw new PythonException("ValueError", "substring not found");
  return index;
}

function parts(text: string, index: number, separator: string, fromEnd: boolean): Value {
  if (separator === "") throw new PythonException("ValueError", "empty separator");
  if (index < 0) return fromEnd ? texts("", "", text) : texts(text, "", "");
  return texts(text.slice(0, index), separator, text.slice(index + separator.length));
}

function stripped(text: string, letters: Value | undefined, side: "start" | "end"): string {
  if (letters === undefined || letters === null) return side === "start" ? text.trimStart() : text.trimEnd();
  const set = new Set(word(letters));
  const characters = [...text];
  let from = 0;
  let to = characters.length;
  if (side === "start") while (from < to && set.has(characters[from] ?? "")) from++;
  else while (to > from && set.has(characters[to - 1] ?? "")) to--;
  return characters.slice(from, to).join("");
}

function limit(most: Value | undefined): number {
  const count = most === undefined ? -1 : wholeNumber(most);
  return count < 0 ? Number.POSITIVE_INFINITY : count;
}

function split(text: string, separator: Value | undefined, most: Value | undefined): string[] {
  const count = limit(most);
  if (separator === undefined || separator === null) {
    const parts: string[] = [];
    let rest = text.trimStart();
    while (rest !== "") {
      const end = parts.length < count ? rest.search(/\s/) : -1;
      if (end < 0) {
        parts.push(parts.length < count ? rest : rest.trimEnd());
        break;
      }
      parts.push(rest.slice(0, end));
      rest = rest.slice(end).trimStart();
    }
    return parts;
  }
  const all = splitBy(text, word(separator));
  return all.length - 1 <= count ? all : [...all.slice(0, count), all.slice(count).join(word(separator))];
}

function splitFromEnd(text: string, separator: Value | undefined, most: Value | undefined): string[] {
  const count = limit(most);
  const blank = separator === undefined || separator === null;
  const all = blank ? split(text, null, undefined) : splitBy(text, word(separator));
  if (all.length - 1 <= count) return all;
  if (blank) throw new NotUnderstood("`rsplit` by blanks with a limit");
  const at = all.length - count;
  return [all.slice(0, at).join(word(separator)), ...all.slice(at)];
}

function splitBy(text: string, separator: string): string[] {
  if (separator === "") throw new PythonException("ValueError", "empty separator");
  return text.split(separator);
}

function lines(text: string): string[] {
  const all = text.split(/\r\n|\n|\r/);
  if (all.at(-1) === "") all.pop();
  return all;
}

function replaced(text: string, from: string, to: string, most: Value | undefined): string {
  const count = limit(most);
  if (from === "" && count !== 0) throw new NotUnderstood("`replace` of nothing");
  const pieces = text.split(from);
  if (pieces.length - 1 <= count) return bounded(pieces.join(to));
  return bounded(`${pieces.slice(0, count).join(to)}${to}${pieces.slice(count).join(from)}`);
}
