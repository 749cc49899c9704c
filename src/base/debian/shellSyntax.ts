/** The grammar of POSIX shell scripts, as far as maintainer scripts use it: text into a tree. Nothing is run. */

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

export type Word = readonly WordPart[];

/** A command of any kind. */
export type ShellNode =
  | { readonly kind: "command"; readonly words: readonly Word[] }
  | { readonly kind: "list" | "pipeline"; readonly items: readonly ShellNode[] }
  | { readonly kind: "and" | "or"; readonly left: ShellNode; readonly right: ShellNode }
  | { readonly kind: "not"; readonly node: ShellNode }
  | {
      readonly kind: "if";
      readonly branches: readonly (readonly [condition: ShellNode, body: ShellNode])[];
      readonly otherwise: ShellNode | undefined;
    }
  | {
      readonly kind: "for";
      readonly name: string;
      readonly words: readonly Word[] | undefined;
      readonly body: ShellNode;
    }
  | { readonly kind: "loop"; readonly condition: ShellNode; readonly body: ShellNode }
  | {
      readonly kind: "case";
      readonly subject: Word;
      readonly branches: readonly (readonly [patterns: readonly Word[], body: ShellNode])[];
    }
  | { readonly kind: "function"; readonly name: string; readonly body: ShellNode };

type Token = { readonly kind: "word"; readonly word: Word; readonly plain: string | undefined } | Operator;
interface Operator {
  readonly kind: "operator";
  readonly text: string;
}

const deepest = 60;

/** A script as a tree; undefined where it is not written as it must be, or in another language. */
export function parseShell(text: string): ShellNode | undefined {
  const tokens = readTokens(text);
  if (tokens === undefined) return undefined;
  const parser = new Parser(tokens);
  try {
    const tree = parser.list([]);
    return parser.isAtEnd() ? tree : undefined;
  } catch (thrown) {
    if (thrown instanceof NotUnderstood) return undefined;
    throw thrown;
  }
}

class NotUnderstood extends Error {}

/** Recursive descent over the tokens. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** Commands up to one of the words, which is not taken. */
  list(ends: readonly string[]): ShellNode {
    if (++this.#depth > deepest) throw new NotUnderstood();
    const items: ShellNode[] = [];
    for (;;) {
      while (this.#isOperator(";") || this.#isOperator("&")) this.#at++;
      if (this.isAtEnd() || this.#isOperator(")") || this.#isOperator(";;")) break;
      const word = this.#plain();
      if (word !== undefined && ends.includes(word)) break;
      items.push(this.#andOr());
    }
    this.#depth--;
    return { kind: "list", items };
  }

  #andOr(): ShellNode {
    let left = this.#pipeline();
    for (;;) {
      const kind = this.#isOperator("&&") ? "and" : this.#isOperator("||") ? "or" : undefined;
      if (kind === undefined) return left;
      this.#at++;
      this.#newlines();
      left = { kind, left, right: this.#pipeline() };
    }
  }

  #pipeline(): ShellNode {
    if (this.#plain() === "!") {
      this.#at++;
      return { kind: "not", node: this.#pipeline() };
    }
    const items = [this.#command()];
    while (this.#isOperator("|")) {
      this.#at++;
      this.#newlines();
      items.push(this.#command());
    }
    const [only] = items;
    return items.length === 1 && only !== undefined ? only : { kind: "pipeline", items };
  }

  #command(): ShellNode {
    switch (this.#plain()) {
      case "if":
        return this.#if();
      case "for":
        return this.#for();
      case "while":
      case "until":
        return this.#loop();
      case "case":
        return this.#case();
      case "{":
        this.#at++;
        return this.#closed(["}"]);
    }
    if (this.#isOperator("(")) {
      this.#at++;
      const body = this.list([]);
      this.#expectOperator(")");
      return body;
    }
    const words: Word[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "word") break;
      this.#at++;
      words.push(token.word);
      if (words.length === 1 && token.plain !== undefined && this.#isOperator("(")) {
        this.#at++;
        this.#expectOperator(")");
        this.#newlines();
        return { kind: "function", name: token.plain, body: this.#command() };
      }
    }
    if (words.length === 0) throw new NotUnderstood();
    return { kind: "command", words };
  }

  #if(): ShellNode {
    const branches: (readonly [ShellNode, ShellNode])[] = [];
    let otherwise: ShellNode | undefined;
    for (;;) {
      this.#at++;
      const condition = this.list(["then"]);
      this.#expect("then");
      branches.push([condition, this.list(["elif", "else", "fi"])]);
      if (this.#plain() !== "elif") break;
    }
    if (this.#plain() === "else") {
      this.#at++;
      otherwise = this.list(["fi"]);
    }
    this.#expect("fi");
    return { kind: "if", branches, otherwise };
  }

  #for(): ShellNode {
    this.#at++;
    const name = this.#plain() ?? "";
    this.#at++;
    this.#newlines();
    let words: Word[] | undefined;
    if (this.#plain() === "in") {
      this.#at++;
      words = [];
      for (let token = this.#tokens[this.#at]; token?.kind === "word"; token = this.#tokens[++this.#at])
        words.push(token.word);
    }
    this.#newlines();
    this.#expect("do");
    return { kind: "for", name, words, body: this.#closed(["done"]) };
  }

  #loop(): ShellNode {
    this.#at++;
    const condition = this.list(["do"]);
    this.#expect("do");
    return { kind: "loop", condition, body: this.#closed(["done"]) };
  }

  #case(): ShellNode {
    this.#at++;
    const subject = this.#word();
    this.#newlines();
    this.#expect("in");
    const branches: (readonly [readonly Word[], ShellNode])[] = [];
    for (;;) {
      this.#newlines();
      if (this.#plain() === "esac") break;
      if (this.#isOperator("(")) this.#at++;
      const patterns = [this.#word()];
      while (this.#isOperator("|")) {
        this.#at++;
        patterns.push(this.#word());
      }
      this.#expectOperator(")");
      branches.push([patterns, this.list(["esac"])]);
      if (this.#isOperator(";;")) this.#at++;
    }
    this.#expect("esac");
    return { kind: "case", subject, branches };
  }

  #closed(ends: readonly string[]): ShellNode {
    const body = this.list(ends);
    this.#expect(ends[0] ?? "");
    return body;
  }

  #word(): Word {
    const token = this.#tokens[this.#at++];
    if (token?.kind !== "word") throw new NotUnderstood();
    return token.word;
  }

  #plain(): string | undefined {
    const token = this.#tokens[this.#at];
    return token?.kind === "word" ? token.plain : undefined;
  }

  #isOperator(text: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === "operator" && token.text === text;
  }

  #newlines(): void {
    while (this.#isOperator(";")) this.#at++;
  }

  #expect(word: string): void {
    if (this.#plain() !== word) throw new NotUnderstood();
    this.#at++;
  }

  #expectOperator(text: string): void {
    if (!this.#isOperator(text)) throw new NotUnderstood();
    this.#at++;
  }
}

const operators = [";;", "&&", "||", ";", "&", "|", "(", ")"] as const;

/** The tokens of a script; redirections and here-documents are left out. Undefined for quotes that do not end. */
function readTokens(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
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
          heredocs.push({ end: textOf(target.word) ?? "", indented: redirection.endsWith("-") });
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
export function textOf(word: Word): string | undefined {
  let text = "";
  for (const part of word) {
    if (part.kind !== "text") return undefined;
    text += part.text;
  }
  return text;
}

/** A word from a place on; undefined where a quote does not end. */
function readWord(text: string, start: number): { readonly word: Word; readonly end: number } | undefined {
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

/** Where a bracket that begins at `at` ends; quotes inside are minded. */
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
