/**
 * Operators in a row, bound as Python binds them. The grammar that files are read with puts `not` above `and` and `or`, so
 * its nesting of operators is not used: operands and operators are taken in the order of the text.
 */
import { type OperatorNodes, OperatorReader } from "../../python/operators.ts";
import { NotUnderstood } from "../../python/problem.ts";
import type { Expression } from "./tree.ts";

/** An operator, or an operand. */
export type Token = { readonly operator: string; readonly line: number } | Expression;

const nodes: OperatorNodes<Expression> = {
  joined: (kind, parts, line) => ({ kind, parts, line }),
  unary: (operator, value, line) => ({ kind: "unary", operator, value, line }),
  comparison: (left, rest) => ({ kind: "comparison", left, rest, line: left.line }),
  binary: (operator, [left, right]) => ({ kind: "binary", operator, left, right, line: left.line }),
};

/** The expression that operands and operators make. @throws NotUnderstood when they make none */
export function bindOperators(tokens: readonly Token[]): Expression {
  let at = 0;
  const reader = new OperatorReader(
    {
      operator: (ahead) => {
        const token = tokens[at + ahead];
        return token !== undefined && !("kind" in token) ? token.operator : undefined;
      },
      skip: (count) => {
        at += count;
      },
      operand: () => {
        const token = tokens[at];
        if (token === undefined || !("kind" in token)) throw new NotUnderstood("an operator without a value");
        at++;
        return token;
      },
      place: () => tokens[at]?.line ?? 0,
      tooDeep: () => new NotUnderstood("an expression that is nested too deeply"),
    },
    nodes,
  );
  const value = reader.read();
  if (at < tokens.length) throw new NotUnderstood("operators in an order that Python does not have");
  return value;
}
