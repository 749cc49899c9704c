/** Patterns of shells in `${NAME#pattern}` and its like: `*` and `?`, without sets. */
import { ExpansionError } from "./expansionError.ts";

/** The value without what the pattern matches at its beginning: the shortest match, or the longest. */
export function trimPrefix(value: string, pattern: string, longest: boolean): string {
  const match = new RegExp(`^${expressionOf(pattern, longest)}`, "u").exec(value);
  return match === null ? value : value.slice(match[0].length);
}

/** The value without what the pattern matches at its end. */
export function trimSuffix(value: string, pattern: string, longest: boolean): string {
  // Backwards, so that the shortest match is found first as well.
  return reversed(trimPrefix(reversed(value), reversedPattern(pattern), longest));
}

/** The value with the first match of the pattern, or all of them, replaced. */
export function replaceMatches(value: string, pattern: string, replacement: string, all: boolean): string {
  const expression = new RegExp(expressionOf(pattern, true), all ? "gu" : "u");
  return all
    ? value.replace(expression, expanded(replacement))
    : value.replace(expression, () => replacement);
}

/** `${1}` and `$1` stand for groups, of which there are none. */
function expanded(replacement: string): () => string {
  const text = replacement.replace(/\$(?:\$|\w+|\{\w+\})/g, (found) => (found === "$$" ? "$" : ""));
  return () => text;
}

function expressionOf(pattern: string, longest: boolean): string {
  const characters = [...pattern];
  let expression = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") expression += longest ? ".*" : ".*?";
    else if (character === "?") expression += ".";
    else if (character === "\\") {
      const next = characters[at + 1];
      if (next === "}" || next === "/") continue;
      if (next !== "*" && next !== "?" && next !== "\\")
        throw new ExpansionError(`\\${next ?? ""} in the pattern ${JSON.stringify(pattern)} escapes nothing`);
      expression += `\\${next}`;
      at++;
    } else expression += character.replace(/[[\]{}.+()|^$/]/, "\\$&");
  }
  return expression;
}

function reversed(text: string): string {
  return [...text].reverse().join("");
}

/** The pattern backwards; what is escaped stays escaped. */
function reversedPattern(pattern: string): string {
  const tokens = pattern.match(/\\[\s\S]|[\s\S]/gu) ?? [];
  return tokens.reverse().join("");
}
