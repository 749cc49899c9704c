/** Reading Python expressions. */
import { type OperatorNodes, OperatorReader } from "../../python/operators.ts";
import type { Comprehension, ConditionExpression } from "./expressions.ts";
import { PythonProblem } from "./problem.ts";
import { type ConditionToken, tokenizePython } from "./tokens.ts";

/** Brackets and operators in one another. */
const deepest = 60;
const keywords = new Set(
  "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(
    " ",
  ),
);
const nodes: OperatorNodes<ConditionExpression> = {
  joined: (kind, parts, at) => ({ kind, parts, at }),
  unary: (operator, value, at) => ({ kind: "unary", operator, value, at }),
  comparison: (left, rest, at) => ({ kind: "comparison", left, rest, at }),
  binary: (operator, [left, right], at) => ({ kind: "binary", operator, left, right, at }),
};

/**
 * Reads an expression as Python's `eval` does.
 *
 * @throws {PythonProblem}
 */
export function parsePython(text: string): ConditionExpression {
  const parser = new ExpressionParser(tokenizePython(text));
  return parser.whole();
}

class ExpressionParser {
  private at = 0;
  private depth = 0;
  private readonly tokens: readonly ConditionToken[];

  constructor(tokens: readonly ConditionToken[]) {
    this.tokens = tokens;
  }

  whole(): ConditionExpression {
    const expression = this.tupleOrOne();
    if (this.next.kind !== "end") throw this.unexpected();
    return expression;
  }

  private get next(): ConditionToken {
    return this.tokens[this.at] ?? { kind: "end", text: "the end", offset: 0 };
  }

  /** True for an operator or keyword of this text. */
  private sees(text: string): boolean {
    return this.next.text === text && (this.next.kind === "operator" || this.next.kind === "name");
  }

  private accept(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw new PythonProblem("python", `\`${text}\` is missing`, this.next.offset);
  }

  private unexpected(): PythonProblem {
    const { kind, text, offset } = this.next;
    if (text === "lambda" || text === ":=" || text === "await" || text === "yield")
      return new PythonProblem("unsupported", `\`${text}\` is not evaluated here`, offset);
    return new PythonProblem(
      "python",
      kind === "end" ? "something is missing at the end" : `\`${text}\` is not understood here`,
      offset,
    );
  }

  private tooDeep(): PythonProblem {
    return new PythonProblem("unsupported", "the condition is nested too deeply", this.next.offset);
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > deepest) throw this.tooDeep();
    const result = read();
    this.depth--;
    return result;
  }

  private tupleOrOne(): ConditionExpression {
    const { offset: at } = this.next;
    const first = this.expression();
    if (!this.sees(",")) return first;
    const items = [first];
    while (this.accept(",")) {
      if (this.next.kind === "end") break;
      items.push(this.expression());
    }
    return { kind: "tuple", items, at };
  }

  private expression(): ConditionExpression {
    return this.nested(() => {
      const { offset: at } = this.next;
      const value = this.either();
      if (this.sees(":=")) throw this.unexpected();
      if (!this.accept("if")) return value;
      const test = this.either();
      this.expect("else");
      return { kind: "if", test, yes: value, no: this.expression(), at };
    });
  }

  /** Operators and operands, without `if`. */
  private either(): ConditionExpression {
    return new OperatorReader(
      {
        operator: (ahead) => {
          const token = this.tokens[this.at + ahead];
          return token?.kind === "operator" || token?.kind === "name" ? token.text : undefined;
        },
        skip: (count) => {
          this.at += count;
        },
        operand: () => this.postfix(),
        place: () => this.next.offset,
        tooDeep: () => this.tooDeep(),
      },
      nodes,
    ).read();
  }

  private postfix(): ConditionExpression {
    let of = this.atom();
    for (;;) {
      const { offset: at } = this.next;
      if (this.accept(".")) {
        const { kind, text, offset } = this.next;
        if (kind !== "name") throw this.unexpected();
        this.at++;
        of = { kind: "attribute", of, name: text, at: offset };
      } else if (this.accept("(")) of = this.call(of, at);
      else if (this.accept("[")) of = this.subscript(of, at);
      else return of;
    }
  }

  private call(callee: ConditionExpression, at: number): ConditionExpression {
    const values: ConditionExpression[] = [];
    const named: (readonly [string, ConditionExpression])[] = [];
    while (!this.accept(")")) {
      if (this.sees("*") || this.sees("**"))
        throw new PythonProblem("unsupported", "`*` arguments are not evaluated here", this.next.offset);
      const following = this.tokens[this.at + 1];
      if (this.next.kind === "name" && following?.kind === "operator" && following.text === "=") {
        const { text } = this.next;
        this.at += 2;
        named.push([text, this.expression()]);
      } else {
        if (named.length > 0)
          throw new PythonProblem("python", "named arguments come last", this.next.offset);
        values.push(this.comprehended("generator", this.expression()));
      }
      if (this.accept(")")) break;
      this.expect(",");
    }
    return { kind: "call", callee, values, named, at };
  }

  private subscript(of: ConditionExpression, at: number): ConditionExpression {
    const parts: (ConditionExpression | undefined)[] = [];
    let sliced = false;
    for (;;) {
      parts.push(this.sees(":") || this.sees("]") ? undefined : this.tupleOrOne());
      if (!this.accept(":")) break;
      sliced = true;
    }
    if (parts.length > 3) throw this.unexpected();
    this.expect("]");
    const [index] = parts;
    if (sliced) return { kind: "slice", of, parts, at };
    if (index === undefined) throw new PythonProblem("python", "an index is missing", at);
    return { kind: "subscript", of, index, at };
  }

  private atom(): ConditionExpression {
    const token = this.next;
    const { offset: at } = token;
    if (token.kind === "string") {
      let value = "";
      while (this.next.kind === "string") {
        value += this.next.value;
        this.at++;
      }
      return { kind: "constant", value, at };
    }
    if (token.kind === "number") {
      this.at++;
      return { kind: "constant", value: token.value, at };
    }
    if (token.kind === "name") {
      if (this.accept("True")) return { kind: "constant", value: true, at };
      if (this.accept("False")) return { kind: "constant", value: false, at };
      if (this.accept("None")) return { kind: "constant", value: null, at };
      if (keywords.has(token.text)) throw this.unexpected();
      this.at++;
      return { kind: "name", name: token.text, at };
    }
    if (this.accept("(")) return this.nested(() => this.parenthesized(at));
    if (this.accept("[")) return this.nested(() => this.items("list", "]", at));
    if (this.accept("{")) return this.nested(() => this.braces(at));
    throw this.unexpected();
  }

  private parenthesized(at: number): ConditionExpression {
    if (this.accept(")")) return { kind: "tuple", items: [], at };
    const first = this.comprehended("generator", this.expression());
    if (this.accept(")")) return first;
    const items = [first];
    while (this.accept(",")) {
      if (this.sees(")")) break;
      items.push(this.expression());
    }
    this.expect(")");
    return { kind: "tuple", items, at };
  }

  private items(kind: "list" | "set", end: string, at: number): ConditionExpression {
    const items: ConditionExpression[] = [];
    while (!this.accept(end)) {
      const first = this.expression();
      const item = this.comprehended(kind, first);
      if (item !== first && items.length === 0 && this.accept(end)) return item;
      items.push(item);
      if (this.accept(end)) break;
      this.expect(",");
    }
    return { kind, items, at };
  }

  private braces(at: number): ConditionExpression {
    if (this.accept("}")) return { kind: "dict", entries: [], at };
    const first = this.expression();
    if (!this.accept(":")) {
      const item = this.comprehended("set", first);
      if (item !== first) {
        this.expect("}");
        return item;
      }
      if (this.accept("}")) return { kind: "set", items: [first], at };
      this.expect(",");
      const rest = this.items("set", "}", at);
      return rest.kind === "set" ? { ...rest, items: [first, ...rest.items] } : rest;
    }
    const entries: (readonly [ConditionExpression, ConditionExpression])[] = [[first, this.expression()]];
    while (this.accept(",")) {
      if (this.sees("}")) break;
      const key = this.expression();
      this.expect(":");
      entries.push([key, this.expression()]);
    }
    if (this.sees("for"))
      throw new PythonProblem(
        "unsupported",
        "comprehensions of dicts are not evaluated here",
        this.next.offset,
      );
    this.expect("}");
    return { kind: "dict", entries, at };
  }

  /** The item itself, or the comprehension that it begins. */
  private comprehended(of: "list" | "set" | "generator", item: ConditionExpression): ConditionExpression {
    if (!this.sees("for")) return item;
    const loops: Comprehension[] = [];
    while (this.accept("for")) {
      const names: string[] = [];
      do {
        const { kind, text } = this.next;
        if (kind !== "name" || keywords.has(text)) throw this.unexpected();
        this.at++;
        names.push(text);
      } while (this.accept(","));
      this.expect("in");
      const values = this.either();
      const conditions: ConditionExpression[] = [];
      while (this.accept("if")) conditions.push(this.either());
      loops.push({ names, values, conditions });
    }
    return { kind: "comprehension", of, item, loops, at: item.at };
  }
}
