/** Variables that the scripts of an Apptainer image set, as far as that can be known without running them. */

/** Substitutions within substitutions. */
const maxDepth = 16;

/** Variables by name. */
type Variables = Map<string, string>;

/**
 * The scripts below `/.singularity.d/env` that belong to an image: what Apptainer made of its OCI configuration, and the
 * `%environment` of its definition, also when written there by `%post`. The others are Apptainer's own.
 */
export const environmentScriptPattern =
  /^\.singularity\.d\/env\/(?:10-docker2singularity|9[01]-environment)\.sh$/;

/**
 * Applies assignments (`NAME=value`, `export NAME=value`) to variables, in their order. Quotes, `$NAME`, `${NAME}` and
 * `${NAME:-word}` are understood; a value with anything else in it, such as the output of a command, is skipped, and
 * so is every other line.
 *
 * @param scripts texts, in the order in which they are read
 * @param variables `NAME=value` lines to start with
 * @returns `NAME=value` lines
 */
export function applyEnvironmentScripts(
  scripts: readonly string[],
  variables: readonly string[],
): readonly string[] {
  const known: Variables = new Map();
  for (const line of variables) {
    const equals = line.indexOf("=");
    if (equals > 0) known.set(line.slice(0, equals), line.slice(equals + 1));
  }
  for (const script of scripts)
    for (const line of script.split("\n")) applyLine(line.replace(/^\s*export\s+/, ""), known);
  return [...known].map(([name, value]) => `${name}=${value}`);
}

function applyLine(line: string, known: Variables): void {
  let at = 0;
  for (;;) {
    at += /^\s*/.exec(line.slice(at))?.[0].length ?? 0;
    const name = /^([A-Za-z_][A-Za-z0-9_]*)=/.exec(line.slice(at))?.[1];
    if (name === undefined) return;
    const word = readWord(line, at + name.length + 1, { known, isEnd: isWordEnd, depth: 0 });
    if (word === undefined) return;
    // Before a command they are that command's alone.
    const rest = line.slice(word.end).trimStart();
    if (rest !== "" && !/^(?:[;#&]|[A-Za-z_][A-Za-z0-9_]*=)/.test(rest)) return;
    known.set(name, word.value);
    at = word.end;
    if (!/^\s/.test(line.slice(at))) return;
  }
}

interface Word {
  readonly value: string;
  /** Where the line goes on. */
  readonly end: number;
}

const isWordEnd = (character: string): boolean => /[\s;#&|<>()]/.test(character);
const isBrace = (character: string): boolean => character === "}";

/** How far a word goes. */
interface WordContext {
  readonly known: Variables;
  readonly isEnd: (character: string) => boolean;
  readonly depth: number;
}

/** A word as a shell reads it; undefined when there is something in it that is not understood. */
function readWord(line: string, start: number, { known, isEnd, depth }: WordContext): Word | undefined {
  let value = "";
  let inQuotes = false;
  let at = start;
  while (at < line.length) {
    const character = line[at] ?? "";
    if (!inQuotes && isEnd(character)) break;
    if (character === '"') {
      inQuotes = !inQuotes;
      at++;
    } else if (character === "'" && !inQuotes) {
      const close = line.indexOf("'", at + 1);
      if (close < 0) return undefined;
      value += line.slice(at + 1, close);
      at = close + 1;
    } else if (character === "\\") {
      const next = line[at + 1];
      if (next === undefined) return undefined;
      value += inQuotes && !/[\\"$`]/.test(next) ? `\\${next}` : next;
      at += 2;
    } else if (character === "`") return undefined;
    else if (character === "$") {
      const filled = readVariable(line, at, known, depth);
      if (filled === undefined) return undefined;
      value += filled.value;
      at = filled.end;
    } else {
      value += character;
      at++;
    }
  }
  return inQuotes ? undefined : { value, end: at };
}

/** `$NAME`, `${NAME}` or `${NAME:-word}`, at a `$`. */
function readVariable(line: string, at: number, known: Variables, depth: number): Word | undefined {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(line.slice(at));
  if (plain !== null) return { value: known.get(plain[1] ?? "") ?? "", end: at + plain[0].length };
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(\}|:[-+])/.exec(line.slice(at));
  if (braced === null || depth >= maxDepth) return undefined;
  const [whole, name = "", mark] = braced;
  const own = known.get(name) ?? "";
  const end = at + whole.length;
  if (mark === "}") return { value: own, end };
  const other = readWord(line, end, { known, isEnd: isBrace, depth: depth + 1 });
  if (other === undefined || line[other.end] !== "}") return undefined;
  const takesOther = mark === ":-" ? own === "" : own !== "";
  return { value: takesOther ? other.value : mark === ":-" ? own : "", end: other.end + 1 };
}
