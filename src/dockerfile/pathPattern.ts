/** Paths and patterns of paths as Go's `path/filepath` takes them: what Docker's rules are written in. */

/** The shortest path that means the same: no `.`, no empty parts, `..` where it can be worked out; `.` for nothing. */
export function cleanPath(path: string): string {
  const isAbsolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isAbsolute) parts.push("..");
  }
  const joined = parts.join("/");
  return isAbsolute ? `/${joined}` : joined === "" ? "." : joined;
}

/** Whether the pattern has characters in it that match others; a backslash takes that from the next one. */
export function hasWildcards(pattern: string): boolean {
  return /^(?:[^*?[\\]|\\[\s\S])*[*?[]/.test(pattern);
}

/**
 * A test whether a path matches a pattern as a whole: `*` and `?` match no slash; sets as `[a-z]`, `[^a-z]`; a backslash takes
 * away the meaning of the next character.
 *
 * @returns undefined when the pattern is not one
 */
export function pathMatcher(pattern: string): ((path: string) => boolean) | undefined {
  const expression = expressionOf([...pattern]);
  if (expression === undefined) return undefined;
  const regular = new RegExp(`^${expression}$`, "su");
  return (path) => regular.test(path);
}

function expressionOf(characters: readonly string[]): string | undefined {
  let expression = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") expression += "[^/]*";
    else if (character === "?") expression += "[^/]";
    else if (character === "[") {
      const set = readSet(characters, at + 1);
      if (set === undefined) return undefined;
      expression += set.expression;
      at = set.end;
    } else if (character === "\\") {
      const next = characters[++at];
      if (next === undefined) return undefined;
      expression += literal(next);
    } else expression += literal(character);
  }
  return expression;
}

/** Reads a set after its `[`. @returns the expression, and where its `]` is */
function readSet(
  characters: readonly string[],
  start: number,
): { readonly expression: string; readonly end: number } | undefined {
  let at = start;
  const isNegated = characters[at] === "^";
  if (isNegated) at++;
  let ranges = "";
  for (let count = 0; ; count++) {
    if (characters[at] === "]" && count > 0)
      // A set matches a slash where it names one, and where it is negated: the path is one string here.
      return { expression: `[${isNegated ? "^" : ""}${ranges}]`, end: at };
    const low = setCharacter(characters, at);
    if (low === undefined) return undefined;
    at = low.end;
    let high = low;
    if (characters[at] === "-") {
      const found = setCharacter(characters, at + 1);
      if (found === undefined) return undefined;
      high = found;
      at = found.end;
    }
    // An empty range matches nothing.
    if (low.code <= high.code) ranges += `\\u{${low.code.toString(16)}}-\\u{${high.code.toString(16)}}`;
  }
}

function setCharacter(
  characters: readonly string[],
  at: number,
): { readonly code: number; readonly end: number } | undefined {
  const first = characters[at];
  if (first === undefined || first === "-" || first === "]") return undefined;
  const character = first === "\\" ? characters[at + 1] : first;
  const code = character?.codePointAt(0);
  if (code === undefined) return undefined;
  const end = at + (first === "\\" ? 2 : 1);
  // A set that is not closed is no pattern.
  return end < characters.length ? { code, end } : undefined;
}

/** A character that stands for itself. */
export function literal(character: string): string {
  return /[$()*+.?[\\\]^{|}/]/.test(character) ? `\\${character}` : character;
}
