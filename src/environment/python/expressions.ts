/** The tree of a Python expression. */

/** An expression. `at` is the character where it begins, or that of its operator. */
export type Expression = { readonly at: number } & (
  | { readonly kind: "constant"; readonly value: string | number | bigint | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple" | "set"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
  | {
      readonly kind: "call";
      readonly callee: Expression;
      readonly values: readonly Expression[];
      readonly named: readonly (readonly [string, Expression])[];
    }
  | { readonly kind: "subscript"; readonly of: Expression; readonly index: Expression }
  | { readonly kind: "slice"; readonly of: Expression; readonly parts: readonly (Expression | undefined)[] }
  | { readonly kind: "unary"; readonly operator: string; readonly value: Expression }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "comparison";
      readonly left: Expression;
      readonly rest: readonly (readonly [operator: string, right: Expression])[];
    }
  | { readonly kind: "and" | "or"; readonly parts: readonly Expression[] }
  | { readonly kind: "if"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | {
      readonly kind: "comprehension";
      readonly of: "list" | "set" | "generator";
      readonly item: Expression;
      readonly loops: readonly Loop[];
    }
);

/** `for NAMES in VALUES if CONDITION…`. */
export interface Loop {
  readonly names: readonly string[];
  readonly values: Expression;
  readonly conditions: readonly Expression[];
}
