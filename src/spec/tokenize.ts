/**
 * Splits the text of a spec into tokens, by the lexical rules of each dialect: `docs/formats.md`, "Spec syntax".
 * Each pattern looks at a bounded part of the text only once, so that the time is linear in its length.
 */
import { once } from "../util/once.ts";
import type { Dialect } from "./abstract.ts";

export type TokenKind =
  | "edgeStart"
  | "edgeEnd"
  | "dependency"
  | "gitVersionPair"
  | "gitVersion"
  | "version"
  | "propagatedBool"
  | "bool"
  | "propagatedPair"
  | "pair"
  | "compiler"
  | "compilerVersion"
  | "file"
  | "qualifiedName"
  | "name"
  | "hash"
  | "unexpected";

export interface SpecToken {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset of the first character in the text of the spec, from 0. */
  readonly start: number;
  /** `virtual,…=package` after `^`, `%` or `]` (1.x). */
  readonly virtuals?: string | undefined;
  readonly substitute?: string | undefined;
}

// What Python takes for white space.
const space = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const identifier = "[a-zA-Z_0-9][a-zA-Z_0-9-]*";
const dotted = `${identifier}(?:\\.${identifier})+`;
const name = "[a-zA-Z_0-9][a-zA-Z_0-9.-]*";
const gitVersion = "(?:git\\.[a-zA-Z_0-9][a-zA-Z_0-9./-]*|[A-Fa-f0-9]{40})";
const version = "=?[a-zA-Z0-9_][a-zA-Z_0-9.-]*\\b";
const versionRange = `(?:${version})?:(?:${version}(?!${space}*=))?`;
const versionItem = `(?:${versionRange}|${version})`;
const versionList = `${versionItem}(?:${space}*,${space}*${versionItem})*`;
const quoted = `'(?:[^']|(?<=\\\\)')*'|"(?:[^"]|(?<=\\\\)")*"`;
const assignment = `(${identifier}(?:,${identifier})*)=(${dotted}|${identifier})`;

/** Kinds in the order in which they are tried at each place, with what they look like. */
function patterns(dialect: Dialect): readonly (readonly [TokenKind | "space", string])[] {
  const old = dialect === "0.x";
  const value = old ? "[a-zA-Z_0-9\\-+*.,:=~/\\\\]+" : "[a-zA-Z_0-9\\-+*.,:=%^~/\\\\]+";
  const colon = old ? "" : ":?";
  const virtuals = old ? "" : `(?:${space}*${assignment})?`;
  return [
    ["edgeStart", old ? "\\^\\[" : "(?:\\^|%%|%)\\["],
    ["edgeEnd", `\\]${virtuals}`],
    ["dependency", old ? "\\^" : `(?:\\^|%%|%)${virtuals}`],
    ["gitVersionPair", `@${gitVersion}=${version}`],
    ["gitVersion", `@${gitVersion}`],
    ["version", `@${space}*${versionList}`],
    ["propagatedBool", `(?:\\+\\+|~~|--)${space}*${name}`],
    ["bool", `[~+-]${space}*${name}`],
    ["propagatedPair", `${name}${colon}==(?:${value}|${quoted})`],
    ["pair", `${name}${colon}=(?:${value}|${quoted})`],
    ...(old
      ? ([
          ["compilerVersion", `%${space}*${name}${space}*@${space}*${versionList}`],
          ["compiler", `%${space}*${name}`],
        ] as const)
      : []),
    ["file", "(?:\\.|/|[a-zA-Z0-9_-]*/)[a-zA-Z0-9_./-]*(?:\\.json|\\.yaml)"],
    ["qualifiedName", dotted],
    ["name", old ? identifier : `(?:${identifier}|\\*)`],
    ["hash", "/[a-zA-Z_0-9]+"],
    ["space", `${space}+`],
  ];
}

/** Characters with which each kind can begin; where there is more than one kind the order of {@link patterns} decides. */
const firstCharacters: Readonly<Record<TokenKind | "space", RegExp>> = {
  edgeStart: /[\^%]/,
  edgeEnd: /\]/,
  dependency: /[\^%]/,
  gitVersionPair: /@/,
  gitVersion: /@/,
  version: /@/,
  propagatedBool: /[+~-]/,
  bool: /[+~-]/,
  propagatedPair: /\w/,
  pair: /\w/,
  compiler: /%/,
  compilerVersion: /%/,
  file: /[\w./-]/,
  qualifiedName: /\w/,
  name: /[\w*]/,
  hash: /\//,
  space: new RegExp(space),
  unexpected: /(?!)/,
};

type Rule = readonly [kind: TokenKind | "space", pattern: RegExp];

/** Rules by the first character, for ASCII; those of all other characters at the end. */
function rulesOf(dialect: Dialect): readonly (readonly Rule[])[] {
  const rules = patterns(dialect).map(([kind, source]): Rule => [kind, new RegExp(source, "y")]);
  const byFirst = Array.from({ length: 128 }, (_, code) =>
    rules.filter(([kind]) => firstCharacters[kind].test(String.fromCharCode(code))),
  );
  return [...byFirst, rules.filter(([kind]) => kind === "space")];
}

const rules: Readonly<Record<Dialect, () => readonly (readonly Rule[])[]>> = {
  "0.x": once(() => rulesOf("0.x")),
  "1.x": once(() => rulesOf("1.x")),
};

/**
 * The tokens of the text without white space. A character that begins no token gives one of kind `unexpected`, and ends
 * the list.
 */
export function tokenize(text: string, dialect: Dialect): readonly SpecToken[] {
  const tokens: SpecToken[] = [];
  const table = rules[dialect]();
  let at = 0;
  while (at < text.length) {
    const candidates = table[Math.min(text.charCodeAt(at), 128)] ?? [];
    let found: RegExpExecArray | null = null;
    let kind: TokenKind | "space" = "unexpected";
    for (const [each, pattern] of candidates) {
      pattern.lastIndex = at;
      found = pattern.exec(text);
      if (found === null) continue;
      kind = each;
      break;
    }
    if (found === null) {
      tokens.push({ kind: "unexpected", text: String.fromCodePoint(text.codePointAt(at) ?? 0), start: at });
      return tokens;
    }
    const [matched, virtuals, substitute] = found;
    if (kind !== "space")
      tokens.push(
        virtuals === undefined
          ? { kind, text: matched, start: at }
          : { kind, text: matched, start: at, virtuals, substitute },
      );
    at += matched.length;
  }
  return tokens;
}
