/**
 * Operators in a row, bound as Python binds them. The grammar that files are read with puts `not` above `and` and `or`, so
 * its nesting of operators is not used: operands and operators are taken in the order of the text.
 */
import { NotUnderstood } from "../problem.ts";
import type { BinaryOperator, ComparisonOperator, Expression } from "./tree.ts";

/** An operator, or an operand. */
export type Token = { readonly operator: string; readonly line: number } | Expression;

const comparisons: ReadonlySet<string> = new Set([
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "in",
  "not in",
  "is",
  "is not",
]);

/** Binary operators, those that bind least first. */
const levels: readonly ReadonlySet<string>[] = [
  new Set(["|"]),
  new Set(["^"]),
  new Set(["&"]),
  new Set(["<<", ">>"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "//", "%", "@"]),
];

/** The expression that operands and operators make. @throws NotUnderstood when they make none */
export function bindOperators(tokens: readonly Token[]): Expression {
  const row = new Row(tokens);
  const value = row.or();
  if (!row.atEnd) throw new NotUnderstood("operators in an order that Python does not have");
  return value;
}

class Row {
  private at = 0;
  private readonly tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get atEnd(): boolean {
    return this.at >= this.tokens.length;
  }

  or(): Expression {
    return this.joined("or", () => this.joined("and", () => this.not()));
  }

  private joined(operator: "and" | "or", next: () => Expression): Expression {
    const first = next();
    const parts = [first];
    while (this.take(operator)) parts.push(next());
    return parts.length === 1 ? first : { kind: operator, parts, line: first.line };
  }

  private not(): Expression {
    const { line } = this.tokens[this.at] ?? { line: 0 };
    let count = 0;
    while (this.take("not")) count++;
    let value = this.comparison();
    for (; count > 0; count--) value = { kind: "unary", operator: "not", value, line };
    return value;
  }

  private comparison(): Expression {
    const left = this.binary(0);
    const rest: [ComparisonOperator, Expression][] = [];
    for (;;) {
      const operator = this.comparisonOperator();
      if (operator === undefined) break;
      rest.push([operator, this.binary(0)]);
    }
    return rest.length === 0 ? left : { kind: "comparison", left, rest, line: left.line };
  }

  private comparisonOperator(): ComparisonOperator | undefined {
    const first = this.operator();
    if (first === undefined) return undefined;
    const both = `${first} ${this.operator(1) ?? ""}`;
    const name = both === "not in" || both === "is not" ? both : first;
    if (!comparisons.has(name)) return undefined;
    this.at += name === both ? 2 : 1;
    return name as ComparisonOperator;
  }

  private binary(level: number): Expression {
    const operators = levels[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const operator = this.operator();
      if (operator === undefined || !operators.has(operator)) return left;
      this.at++;
      const right = this.binary(level + 1);
      left = { kind: "binary", operator: operator as BinaryOperator, left, right, line: left.line };
    }
  }

  private unary(): Expression {
    const before: ("-" | "+" | "~")[] = [];
    const { line } = this.tokens[this.at] ?? { line: 0 };
    for (;;) {
      const operator = this.operator();
      if (operator !== "-" && operator !== "+" && operator !== "~") break;
      before.push(operator);
      this.at++;
    }
    let value = this.power();
    for (const operator of before.reverse()) value = { kind: "unary", operator, value, line };
    return value;
  }

  private power(): Expression {
    const left = this.operand();
    if (!this.take("**")) return left;
    return { kind: "binary", operator: "**", left, right: this.unary(), line: left.line };
  }

  private operand(): Expression {
    const token = this.tokens[this.at];
    if (token === undefined || !("kind" in token)) throw new NotUnderstood("an operator without a value");
    this.at++;
    return token;
  }

  private operator(ahead = 0): string | undefined {
    const token = this.tokens[this.at + ahead];
    return token !== undefined && !("kind" in token) ? token.operator : undefined;
  }

  private take(operator: string): boolean {
    if (this.operator() !== operator) return false;
    this.at++;
    return true;
  }
}
