/**
 * `.dockerignore`: which files of a build context do not belong to it. As Docker reads it (`moby/patternmatcher`): patterns of
 * Go's `filepath.Match` and `**`, `!` takes files back, the last pattern that matches a file or a folder above it decides.
 */
import { SpacktainersError } from "../util/errors.ts";
import { cleanPath, literal, pathMatcher } from "./pathPattern.ts";
import { trim } from "./whitespace.ts";

/** What a list of patterns says of paths. */
export interface PathPatterns {
  /** Whether a path, relative and with slashes, is matched: by itself or by a folder above it. */
  matches(path: string): boolean;
  /** Whether a folder that is matched may have something in it that is not. */
  readonly hasExceptions: boolean;
}

interface Pattern {
  readonly isException: boolean;
  readonly matches: (path: string) => boolean;
}

/**
 * Reads an ignore file.
 *
 * @param file its path, for errors
 * @throws SpacktainersError DEFINITION_INVALID with the line of a pattern that is none
 */
export function parseIgnoreFile(text: string, file: string): PathPatterns {
  const patterns: Pattern[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    if (line.startsWith("#")) continue;
    let pattern = trim(line);
    if (pattern === "") continue;
    const isException = pattern.startsWith("!");
    if (isException) pattern = trim(pattern.slice(1));
    if (pattern !== "") pattern = cleanPath(pattern);
    if (pattern.length > 1 && pattern.startsWith("/")) pattern = pattern.slice(1);
    const compiled = compile(pattern, isException);
    if (compiled === undefined)
      throw new SpacktainersError("DEFINITION_INVALID", `${JSON.stringify(trim(line))} is not a pattern`, {
        place: { file, line: index + 1, column: 1 },
      });
    patterns.push(compiled);
  }
  return patternsOf(patterns);
}

/**
 * A list of patterns, as in `COPY --exclude`.
 *
 * @returns the patterns, or the first that is none
 */
export function pathPatterns(list: readonly string[]): PathPatterns | { readonly wrong: string } {
  const patterns: Pattern[] = [];
  for (const text of list) {
    const trimmed = trim(text);
    if (trimmed === "") continue;
    const cleaned = cleanPath(trimmed);
    const isException = cleaned.startsWith("!");
    const compiled = compile(isException ? cleaned.slice(1) : cleaned, isException);
    if (compiled === undefined) return { wrong: text };
    patterns.push(compiled);
  }
  return patternsOf(patterns);
}

function patternsOf(patterns: readonly Pattern[]): PathPatterns {
  return {
    hasExceptions: patterns.some(({ isException }) => isException),
    matches(path) {
      const parts = path.split("/");
      const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
      let matched = false;
      for (const pattern of patterns)
        if (pattern.isException === matched && paths.some((one) => pattern.matches(one)))
          matched = !pattern.isException;
      return matched;
    },
  };
}

function compile(pattern: string, isException: boolean): Pattern | undefined {
  // Only what Go's matcher takes for a pattern is one.
  if (pattern === "" || pathMatcher(pattern) === undefined) return undefined;
  try {
    const expression = new RegExp(`^${expressionOf(pattern)}$`, "su");
    return { isException, matches: (path) => expression.test(path) };
  } catch {
    return undefined;
  }
}

function expressionOf(pattern: string): string {
  // A pattern that begins with `**` and has no other wildcards matches every path that ends with the rest.
  const [, ending] = /^\*\*([^*?[\]\\]+)$/.exec(pattern) ?? [];
  if (ending !== undefined) {
    const rest = [...(ending.startsWith("/") ? ending.slice(1) : ending)].map(literal).join("");
    return ending.startsWith("/") ? `(?:.*/)?${rest}` : `.*${rest}`;
  }
  const characters = [...pattern];
  let expression = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*" && characters[at + 1] === "*") {
      at++;
      if (characters[at + 1] === "/") at++;
      expression += at + 1 >= characters.length ? ".*" : "(?:.*/)?";
    } else if (character === "*") expression += "[^/]*";
    else if (character === "?") expression += "[^/]";
    else if (character === "\\") expression += literal(characters[++at] ?? "\\");
    else if (character === "[" || character === "]") {
      const end = character === "[" ? endOfSet(characters, at) : at;
      expression += character === "[" ? characters.slice(at, end + 1).join("") : "\\]";
      at = end;
    } else expression += literal(character);
  }
  return expression;
}

function endOfSet(characters: readonly string[], start: number): number {
  let at = start + 1;
  if (characters[at] === "^") at++;
  for (let first = true; at < characters.length; first = false, at++) {
    if (characters[at] === "]" && !first) break;
    if (characters[at] === "\\") at++;
  }
  return at;
}
