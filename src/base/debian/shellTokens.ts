/** The words and operators of shell scripts. */

/** A piece of a word. */
export type WordPart =
  | { readonly kind: "text"; readonly text: string }
  /** `$name`, `${name}`, `${name:-fallback}`. */
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly fallback: string | undefined;
      readonly quoted: boolean;
    }
  /** `$(…)`, with its text. */
  | { readonly kind: "output"; readonly text: string; readonly quoted: boolean }
  /** What is not understood. */
  | { readonly kind: "unknown" };

/** A word: its pieces in the order of the text. */
export type ScriptWord = readonly WordPart[];

/** A word (`plain` is its text where nothing in it is quoted or replaced), or an operator. */
export type ShellToken =
  | { readonly kind: "word"; readonly word: ScriptWord; readonly plain: string | undefined }
  | Operator;
interface Operator {
  readonly kind: "operator";
  readonly text: string;
}

const operators = [";;", "&&", "||", ";", "&", "|", "(", ")"] as const;

/** The tokens of a script; redirections and here-documents are left out. Undefined for quotes that do not end. */
export function readTokens(text: string): readonly ShellToken[] | undefined {
  const tokens: ShellToken[] = [];
  const heredocs: { readonly end: string; readonly indented: boolean }[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === "\n") {
      at++;
      for (const { end, indented } of heredocs.splice(0)) {
        for (let line: string | undefined; line !== end && at < text.length; ) {
          const stop = text.indexOf("\n", at);
          const whole = text.slice(at, stop < 0 ? text.length : stop);
          line = indented ? whole.replace(/^\t+/, "") : whole;
          at = stop < 0 ? text.length : stop + 1;
        }
      }
      tokens.push({ kind: "operator", text: ";" });
      continue;
    }
    if (character === " " || character === "\t" || character === "\r") at++;
    else if (text.startsWith("\\\n", at)) at += 2;
    else if (character === "#") {
      const stop = text.indexOf("\n", at);
      at = stop < 0 ? text.length : stop;
    } else {
      const redirection = /^\d*(?:<<-?|>>|>&|<&|>\||<>|<|>)/.exec(text.slice(at, at + 12))?.[0];
      if (redirection !== undefined) {
        at += redirection.length;
        while (/[ \t]/.test(text.charAt(at))) at++;
        const target = readWord(text, at);
        if (target === undefined) return undefined;
        if (/<<-?$/.test(redirection))
          heredocs.push({ end: plainText(target.word) ?? "", indented: redirection.endsWith("-") });
        at = target.end;
        continue;
      }
      const operator = operators.find((one) => text.startsWith(one, at));
      if (operator !== undefined) {
        tokens.push({ kind: "operator", text: operator });
        at += operator.length;
        continue;
      }
      const read = readWord(text, at);
      if (read === undefined || read.end === at) return undefined;
      const raw = text.slice(at, read.end);
      tokens.push({ kind: "word", word: read.word, plain: /["'\\$`]/.test(raw) ? undefined : raw });
      at = read.end;
    }
  }
  return tokens;
}

/** The text of a word without variables. */
export function plainText(word: ScriptWord): string | undefined {
  let text = "";
  for (const part of word) {
    if (part.kind !== "text") return undefined;
    text += part.text;
  }
  return text;
}

/** A word from a place on; undefined where a quote does not end. */
function readWord(
  text: string,
  start: number,
): { readonly word: ScriptWord; readonly end: number } | undefined {
  const word: WordPart[] = [];
  let at = start;
  let quoted = false;
  const add = (piece: string): void => {
    const last = word.at(-1);
    if (last?.kind === "text") word[word.length - 1] = { kind: "text", text: last.text + piece };
    else word.push({ kind: "text", text: piece });
  };
  while (at < text.length) {
    const character = text.charAt(at);
    if (!quoted && /[\s;&|()<>]/.test(character)) break;
    if (character === '"') {
      quoted = !quoted;
      add("");
      at++;
    } else if (character === "'" && !quoted) {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return undefined;
      add(text.slice(at + 1, end));
      at = end + 1;
    } else if (character === "\\") {
      const next = text.charAt(at + 1);
      if (next !== "\n") add(quoted && !/["\\$`]/.test(next) ? `\\${next}` : next);
      at += 2;
    } else if (character === "$") {
      const read = readDollar(text, at, quoted);
      if (read === undefined) return undefined;
      if (read.part === undefined) add("$");
      else word.push(read.part);
      at = read.end;
    } else if (character === "`") {
      const end = text.indexOf("`", at + 1);
      if (end < 0) return undefined;
      word.push({ kind: "output", text: text.slice(at + 1, end), quoted });
      at = end + 1;
    } else {
      add(character);
      at++;
    }
  }
  return quoted ? undefined : { word, end: at };
}

function readDollar(
  text: string,
  at: number,
  quoted: boolean,
): { readonly part: WordPart | undefined; readonly end: number } | undefined {
  const next = text.charAt(at + 1);
  if (next === "(" || next === "{") {
    const end = closing(text, at + 1);
    if (end === undefined) return undefined;
    const inner = text.slice(at + 2, end);
    if (next === "(")
      return {
        part: inner.startsWith("(") ? { kind: "unknown" } : { kind: "output", text: inner, quoted },
        end: end + 1,
      };
    const [, name, fallback] = /^(\w+|[@*#])(?::?[-=]([^$`"'\\]*))?$/.exec(inner) ?? [];
    return {
      part: name === undefined ? { kind: "unknown" } : { kind: "variable", name, fallback, quoted },
      end: end + 1,
    };
  }
  const [name] = /^(?:[A-Za-z_]\w*|[0-9@*#?$!-])/.exec(text.slice(at + 1, at + 200)) ?? [];
  if (name === undefined) return { part: undefined, end: at + 1 };
  return { part: { kind: "variable", name, fallback: undefined, quoted }, end: at + 1 + name.length };
}

/** Where a bracket that begins at `at` ends; brackets inside quotes do not count. */
function closing(text: string, at: number): number | undefined {
  const [open, close] = text.charAt(at) === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let index = at; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === "\\") index++;
    else if (character === "'") {
      const end = text.indexOf("'", index + 1);
      if (end < 0) return undefined;
      index = end;
    } else if (character === open) depth++;
    else if (character === close && --depth === 0) return index;
  }
  return undefined;
}
