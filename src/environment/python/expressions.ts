/** The tree of a Python expression. */
import type { BinaryOperator, ComparisonOperator, UnaryOperator } from "../../python/operators.ts";

/** An expression. `at` is the character where it begins, or that of its operator. */
export type ConditionExpression = { readonly at: number } & (
  | { readonly kind: "constant"; readonly value: string | number | bigint | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple" | "set"; readonly items: readonly ConditionExpression[] }
  | {
      readonly kind: "dict";
      readonly entries: readonly (readonly [ConditionExpression, ConditionExpression])[];
    }
  | { readonly kind: "attribute"; readonly of: ConditionExpression; readonly name: string }
  | {
      readonly kind: "call";
      readonly callee: ConditionExpression;
      readonly values: readonly ConditionExpression[];
      readonly named: readonly (readonly [string, ConditionExpression])[];
    }
  | { readonly kind: "subscript"; readonly of: ConditionExpression; readonly index: ConditionExpression }
  | {
      readonly kind: "slice";
      readonly of: ConditionExpression;
      readonly parts: readonly (ConditionExpression | undefined)[];
    }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly value: ConditionExpression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: ConditionExpression;
      readonly right: ConditionExpression;
    }
  | {
      readonly kind: "comparison";
      readonly left: ConditionExpression;
      readonly rest: readonly (readonly [operator: ComparisonOperator, right: ConditionExpression])[];
    }
  | { readonly kind: "and" | "or"; readonly parts: readonly ConditionExpression[] }
  | {
      readonly kind: "if";
      readonly test: ConditionExpression;
      readonly yes: ConditionExpression;
      readonly no: ConditionExpression;
    }
  | {
      readonly kind: "comprehension";
      readonly of: "list" | "set" | "generator";
      readonly item: ConditionExpression;
      readonly loops: readonly Comprehension[];
    }
);

/** `for NAMES in VALUES if CONDITION…`. */
export interface Comprehension {
  readonly names: readonly string[];
  readonly values: ConditionExpression;
  readonly conditions: readonly ConditionExpression[];
}
