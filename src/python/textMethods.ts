/** The methods of Python's texts. Indexes count UTF-16 units, which differ from Python's for characters above U+FFFF. */
import { NotUnderstood, PythonException } from "./problem.ts";

/** The arguments of a call, by position. Each function throws for a value of another type. */
export interface TextArguments {
  /** True for an argument that is given and not None. */
  readonly has: (index: number) => boolean;
  readonly text: (index: number) => string;
  /** The texts of a tuple, or one text. */
  readonly texts: (index: number) => readonly string[];
  /** The texts of anything that a loop can go through. */
  readonly each: (index: number) => readonly string[];
  readonly whole: (index: number) => number;
}

/** What a method gives: a text, an answer, a whole number, or a list or tuple of texts. */
export type TextResult =
  | string
  | boolean
  | number
  | { readonly kind: "list" | "tuple"; readonly items: readonly string[] };

/** A method: how many arguments it takes, and what it does. */
export type PythonTextMethod = readonly [
  least: number,
  most: number,
  call: (text: string, given: TextArguments) => TextResult,
];

/** Widest text that a method fills up. */
const widest = 1000;

const methods: Readonly<Record<string, PythonTextMethod>> = {
  upper: [0, 0, (text) => text.toUpperCase()],
  lower: [0, 0, (text) => text.toLowerCase()],
  casefold: [0, 0, (text) => text.toLowerCase().replaceAll("ß", "ss")],
  capitalize: [0, 0, capitalized],
  title: [0, 0, (text) => text.replace(/\p{L}+/gu, capitalized)],
  strip: [0, 1, (text, given) => trimmedStart(trimmedEnd(text, given), given)],
  lstrip: [0, 1, trimmedStart],
  rstrip: [0, 1, trimmedEnd],
  split: [0, 2, (text, given) => list(split(text, given))],
  rsplit: [0, 2, (text, given) => list(splitFromEnd(text, given))],
  splitlines: [0, 0, (text) => list(lines(text))],
  partition: [1, 1, (text, given) => parts(text, text.indexOf(separator(given)), separator(given), false)],
  rpartition: [
    1,
    1,
    (text, given) => parts(text, text.lastIndexOf(separator(given)), separator(given), true),
  ],
  replace: [2, 3, replaced],
  startswith: [1, 3, (text, given) => given.texts(0).some((one) => section(text, given).startsWith(one))],
  endswith: [1, 3, (text, given) => given.texts(0).some((one) => section(text, given).endsWith(one))],
  removeprefix: [
    1,
    1,
    (text, given) => (text.startsWith(given.text(0)) ? text.slice(given.text(0).length) : text),
  ],
  removesuffix: [
    1,
    1,
    (text, given) =>
      text.endsWith(given.text(0)) ? text.slice(0, text.length - given.text(0).length) : text,
  ],
  join: [1, 1, (text, given) => given.each(0).join(text)],
  find: [1, 1, (text, given) => text.indexOf(given.text(0))],
  rfind: [1, 1, (text, given) => text.lastIndexOf(given.text(0))],
  index: [1, 1, (text, given) => found(text.indexOf(given.text(0)), text, given)],
  rindex: [1, 1, (text, given) => found(text.lastIndexOf(given.text(0)), text, given)],
  count: [
    1,
    1,
    (text, given) => (given.text(0) === "" ? text.length + 1 : text.split(given.text(0)).length - 1),
  ],
  zfill: [
    1,
    1,
    (text, given) => {
      const sign = /^[+-]/.exec(text)?.[0] ?? "";
      return sign + text.slice(sign.length).padStart(width(given) - sign.length, "0");
    },
  ],
  ljust: [1, 2, (text, given) => text.padEnd(width(given), given.has(1) ? given.text(1) : " ")],
  rjust: [1, 2, (text, given) => text.padStart(width(given), given.has(1) ? given.text(1) : " ")],
  isdigit: [0, 0, (text) => /^\p{Nd}+$/u.test(text)],
  isdecimal: [0, 0, (text) => /^\p{Nd}+$/u.test(text)],
  isnumeric: [0, 0, (text) => /^\p{N}+$/u.test(text)],
  isalpha: [0, 0, (text) => /^\p{L}+$/u.test(text)],
  isalnum: [0, 0, (text) => /^[\p{L}\p{N}]+$/u.test(text)],
  isspace: [0, 0, (text) => text !== "" && [...text].every(isSpace)],
  islower: [0, 0, (text) => /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text)],
  isupper: [0, 0, (text) => /\p{Lu}/u.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text)],
};

/** Methods that texts have in Python and not here. */
const others: ReadonlySet<string> = new Set(
  "center encode expandtabs format format_map isascii isidentifier isprintable istitle maketrans swapcase translate".split(
    " ",
  ),
);

/** The method of a name, if it is one that is known here. */
export function pythonTextMethod(name: string): PythonTextMethod | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** True for a method that Python's texts have, although it is not known here. */
export function isOtherTextMethod(name: string): boolean {
  return others.has(name);
}

const list = (items: readonly string[]): TextResult => ({ kind: "list", items });

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

/** Control characters that are white space to Python and not to JavaScript. */
const separators: ReadonlySet<string> = new Set(["\u001c", "\u001d", "\u001e", "\u001f", "\u0085"]);

function isSpace(character: string): boolean {
  return character !== "\uFEFF" && (/\s/.test(character) || separators.has(character));
}

/** What `strip` removes: the characters that are named, or white space. */
function isStripped(given: TextArguments): (character: string) => boolean {
  if (!given.has(0)) return isSpace;
  const set = new Set(given.text(0));
  return (character) => set.has(character);
}

function trimmedStart(text: string, given: TextArguments): string {
  const test = isStripped(given);
  const characters = [...text];
  const from = characters.findIndex((one) => !test(one));
  return from < 0 ? "" : characters.slice(from).join("");
}

function trimmedEnd(text: string, given: TextArguments): string {
  const test = isStripped(given);
  const characters = [...text];
  let to = characters.length;
  while (to > 0 && test(characters[to - 1] ?? "")) to--;
  return characters.slice(0, to).join("");
}

/** The limit of `split` and `replace`: without one, and for a negative one, there is none. */
function limit(given: TextArguments, index: number): number {
  const most = given.has(index) ? given.whole(index) : -1;
  return most < 0 ? Number.POSITIVE_INFINITY : most;
}

function split(text: string, given: TextArguments): readonly string[] {
  const most = limit(given, 1);
  if (!given.has(0)) {
    const words: string[] = [];
    let rest = text.trimStart();
    while (rest !== "") {
      const end = words.length < most ? rest.search(/\s/) : rest.length;
      words.push(end < 0 ? rest : rest.slice(0, end));
      rest = end < 0 ? "" : rest.slice(end).trimStart();
    }
    return words;
  }
  const by = separator(given);
  const all = text.split(by);
  return all.length - 1 <= most ? all : [...all.slice(0, most), all.slice(most).join(by)];
}

function splitFromEnd(text: string, given: TextArguments): readonly string[] {
  const most = limit(given, 1);
  if (!given.has(0)) {
    const words: string[] = [];
    let rest = text.trimEnd();
    while (rest !== "") {
      const start = words.length < most ? rest.search(/\S+$/) : 0;
      words.unshift(rest.slice(start));
      rest = rest.slice(0, start).trimEnd();
    }
    return words;
  }
  const by = separator(given);
  const all = text.split(by);
  if (all.length - 1 <= most) return all;
  const at = all.length - most;
  return [all.slice(0, at).join(by), ...all.slice(at)];
}

function separator(given: TextArguments): string {
  const by = given.text(0);
  if (by === "") throw new PythonException("ValueError", "a text cannot be split at an empty separator");
  return by;
}

function lines(text: string): readonly string[] {
  const all = text.split(/\r\n|\n|\r/);
  return all.at(-1) === "" ? all.slice(0, -1) : all;
}

function parts(text: string, at: number, by: string, fromEnd: boolean): TextResult {
  const items =
    at >= 0 ? [text.slice(0, at), by, text.slice(at + by.length)] : fromEnd ? ["", "", text] : [text, "", ""];
  return { kind: "tuple", items };
}

function replaced(text: string, given: TextArguments): string {
  const [from, to, most] = [given.text(0), given.text(1), limit(given, 2)];
  if (from === "" && most !== 0) throw new NotUnderstood("`replace` of an empty text");
  const pieces = text.split(from);
  if (pieces.length - 1 <= most) return pieces.join(to);
  return [...pieces.slice(0, most), pieces.slice(most).join(from)].join(to);
}

/** The part of a text between the second and the third argument. */
function section(text: string, given: TextArguments): string {
  return text.slice(given.has(1) ? given.whole(1) : 0, given.has(2) ? given.whole(2) : text.length);
}

function found(index: number, text: string, given: TextArguments): number {
  if (index < 0) throw new PythonException("ValueError", `\`${given.text(0)}\` is not in \`${text}\``);
  return index;
}

function width(given: TextArguments): number {
  return Math.min(given.whole(0), widest);
}
