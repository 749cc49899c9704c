/**
 * Patterns for file names as a POSIX shell has them (POSIX.1-2017, Shell Command Language, 2.13): `*`, `?`, `[…]` and the
 * backslash. For one name: what stands between two slashes of a path.
 */

/** A pattern, taken apart. */
export interface ShellPattern {
  /** Whether it can stand for more names than {@link ShellPattern.literal}. */
  readonly isPattern: boolean;
  /** The text with backslashes taken away: the only name it can stand for when it is no pattern. */
  readonly literal: string;
  readonly parts: readonly Part[];
}

/** What one place of a pattern stands for; `*` for any number of characters. */
type Part = "*" | ((character: string) => boolean);

/** Sets of characters by name, for ASCII: what they hold does not depend on the locale. */
const classes: Readonly<Record<string, RegExp | undefined>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t\n\v\f\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/**
 * Takes a pattern apart. `[abc]`, `[a-z]`, `[!abc]` and `[^abc]` (none of them), `[[:digit:]]`; in them, `]` at the
 * beginning and `-` at an end stand for themselves. A bracket that is not closed, and a backslash at the end, too.
 */
export function parseShellPattern(text: string): ShellPattern {
  const characters = [...text];
  const parts: Part[] = [];
  let literal = "";
  let isPattern = false;
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    const set = character === "[" ? readSet(characters, at + 1) : undefined;
    if (set !== undefined) {
      literal += characters.slice(at, set.end).join("").replace(/\\(.)/gsu, "$1");
      parts.push(set.has);
      at = set.end - 1;
      isPattern = true;
    } else if (character === "*" || character === "?") {
      literal += character;
      parts.push(character === "*" ? "*" : () => true);
      isPattern = true;
    } else {
      const next = character === "\\" ? characters[++at] : character;
      const wanted = next ?? "\\";
      literal += wanted;
      parts.push((given) => given === wanted);
    }
  }
  return { isPattern, literal, parts };
}

/** Whether a name is one that a pattern stands for. Goes back to the last `*` only, so that no pattern makes it slow. */
export function matchesShellPattern(name: string, { parts }: ShellPattern): boolean {
  const characters = [...name];
  let at = 0;
  let inParts = 0;
  let starInParts = -1;
  let starAt = 0;
  while (at < characters.length) {
    const part = parts[inParts];
    if (part === "*") {
      starInParts = inParts++;
      starAt = at;
    } else if (part?.(characters[at] ?? "") === true) {
      at++;
      inParts++;
    } else if (starInParts >= 0) {
      inParts = starInParts + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[inParts] === "*") inParts++;
  return inParts === parts.length;
}

/** Reads a set after its `[`; undefined when it is not closed, and so is none. */
function readSet(
  characters: readonly string[],
  start: number,
): { readonly has: (character: string) => boolean; readonly end: number } | undefined {
  let at = start;
  const isNegated = characters[at] === "!" || characters[at] === "^";
  if (isNegated) at++;
  const first = at;
  const items: ((character: string) => boolean)[] = [];
  for (;;) {
    const character = characters[at];
    if (character === undefined) return undefined;
    if (character === "]" && at > first) break;
    const named = character === "[" ? readNamed(characters, at) : undefined;
    if (named?.class !== undefined) {
      const pattern = classes[named.class];
      items.push((given) => pattern?.test(given) === true);
      at = named.end;
      continue;
    }
    const low = named?.symbol ?? readOne(characters, at);
    if (low === undefined) return undefined;
    at = low.end;
    const high =
      characters[at] === "-" && characters[at + 1] !== "]" ? readEnd(characters, at + 1) : undefined;
    if (high === undefined) items.push((given) => given === low.character);
    else {
      at = high.end;
      items.push(between(low.character, high.character));
    }
  }
  return {
    has: (character) => items.some((item) => item(character)) !== isNegated,
    end: at + 1,
  };
}

interface One {
  readonly character: string;
  readonly end: number;
}

/** A character of a set, which may have a backslash before it. */
function readOne(characters: readonly string[], at: number): One | undefined {
  const isEscaped = characters[at] === "\\" && characters[at + 1] !== undefined;
  const character = characters[isEscaped ? at + 1 : at];
  return character === undefined ? undefined : { character, end: at + (isEscaped ? 2 : 1) };
}

/** The upper end of a range. */
function readEnd(characters: readonly string[], at: number): One | undefined {
  const named = characters[at] === "[" ? readNamed(characters, at) : undefined;
  return named?.symbol ?? readOne(characters, at);
}

/** `[:class:]`, or `[.x.]` and `[=x=]`, which stand for x; at the inner `[`. */
function readNamed(
  characters: readonly string[],
  at: number,
): { readonly class?: string; readonly symbol?: One; readonly end: number } | undefined {
  const mark = characters[at + 1] ?? "";
  if (mark !== ":" && mark !== "." && mark !== "=") return undefined;
  for (let end = at + 2; end + 1 < characters.length && end - at < 20; end++) {
    if (characters[end] !== mark || characters[end + 1] !== "]") continue;
    const inner = characters.slice(at + 2, end);
    if (mark === ":") return { class: inner.join(""), end: end + 2 };
    const [character, more] = inner;
    if (character === undefined || more !== undefined) return undefined;
    return { symbol: { character, end: end + 2 }, end: end + 2 };
  }
  return undefined;
}

/** In the order of code points. */
function between(low: string, high: string): (character: string) => boolean {
  const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? 0];
  return (character) => {
    const code = character.codePointAt(0) ?? 0;
    return from <= code && code <= to;
  };
}
