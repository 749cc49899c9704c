/** The grammar of POSIX shell scripts, as far as maintainer scripts use it: text into a tree. Nothing is run. */

import { readTokens, type ScriptWord, type ShellToken } from "./shellTokens.ts";

/** A command of any kind. */
export type ShellNode =
  | { readonly kind: "command"; readonly words: readonly ScriptWord[] }
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
      readonly words: readonly ScriptWord[] | undefined;
      readonly body: ShellNode;
    }
  | { readonly kind: "loop"; readonly condition: ShellNode; readonly body: ShellNode }
  | {
      readonly kind: "case";
      readonly subject: ScriptWord;
      readonly branches: readonly (readonly [patterns: readonly ScriptWord[], body: ShellNode])[];
    }
  | { readonly kind: "function"; readonly name: string; readonly body: ShellNode };

const deepest = 60;

/** A script as a tree; undefined if it is malformed, or in another language. */
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
  readonly #tokens: readonly ShellToken[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly ShellToken[]) {
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
    const words: ScriptWord[] = [];
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
    let words: ScriptWord[] | undefined;
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
    const branches: (readonly [readonly ScriptWord[], ShellNode])[] = [];
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

  #word(): ScriptWord {
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
