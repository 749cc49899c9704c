/** The tree of a Python file, as far as recipes are read. */
import type { BinaryOperator, ComparisonOperator, UnaryOperator } from "../../python/operators.ts";

/** `for TARGET in VALUES if CONDITION…`. */
export interface Loop {
  readonly target: Expression;
  readonly values: Expression;
  readonly conditions: readonly Expression[];
}

/** One argument of a call: `value`, `name=value`, `*value` or `**value`. */
export interface Argument {
  readonly name: string | undefined;
  readonly spread: "" | "*" | "**";
  readonly value: Expression;
}

/** A part of an f-string: text, or a value with its conversion (`!r`) and format. */
export type StringPart =
  | string
  | {
      readonly value: Expression;
      readonly conversion: string;
      readonly format: readonly StringPart[];
    };

/** A parameter of a function. `kind` is `*` or `**` for those that take what is left. */
export interface Parameter {
  readonly name: string;
  readonly kind: "" | "*" | "**";
  /** After `*`: can only be given by name. */
  readonly named: boolean;
  readonly fallback: Expression | undefined;
}

/** An expression; `line` is counted from 1. */
export type Expression = { readonly line: number } & (
  | { readonly kind: "constant"; readonly value: string | number | boolean | null }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "text"; readonly parts: readonly StringPart[] }
  | { readonly kind: "tuple" | "list" | "set"; readonly items: readonly Expression[] }
  | {
      readonly kind: "dict";
      /** Without a key: `**value`. */
      readonly entries: readonly (readonly [Expression | undefined, Expression])[];
    }
  | { readonly kind: "starred"; readonly value: Expression }
  | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly kind: "call"; readonly callee: Expression; readonly arguments: readonly Argument[] }
  | { readonly kind: "item"; readonly of: Expression; readonly index: Expression }
  | { readonly kind: "slice"; readonly parts: readonly (Expression | undefined)[] }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly value: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "comparison";
      readonly left: Expression;
      readonly rest: readonly (readonly [ComparisonOperator, Expression])[];
    }
  | { readonly kind: "and" | "or"; readonly parts: readonly Expression[] }
  | { readonly kind: "if"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | {
      readonly kind: "comprehension";
      readonly of: "list" | "set" | "dict" | "generator";
      readonly key: Expression | undefined;
      readonly item: Expression;
      readonly loops: readonly Loop[];
    }
  | { readonly kind: "lambda"; readonly parameters: readonly Parameter[]; readonly body: Expression }
  | { readonly kind: "assigned"; readonly name: string; readonly value: Expression }
  | { readonly kind: "unknown"; readonly what: string }
);

/** What handles an exception. */
export interface Handler {
  readonly line: number;
  readonly types: Expression | undefined;
  readonly name: string | undefined;
  readonly body: readonly Statement[];
}

/** A function, read when it is called first. */
export interface FunctionTree {
  readonly name: string;
  readonly line: number;
  readonly parameters: readonly Parameter[];
  readonly decorators: readonly Expression[];
  readonly body: () => readonly Statement[];
}

/** A name that is imported: `from MODULE import NAME as LOCAL`; without a name, the module itself. */
export interface ImportedName {
  readonly module: string;
  readonly name: string | undefined;
  readonly local: string;
}

/** A statement; `line` is counted from 1. */
export type Statement = { readonly line: number } & (
  | { readonly kind: "expression"; readonly value: Expression }
  | { readonly kind: "assign"; readonly targets: readonly Expression[]; readonly value: Expression }
  | {
      readonly kind: "update";
      readonly target: Expression;
      readonly operator: BinaryOperator;
      readonly value: Expression;
    }
  | { readonly kind: "return"; readonly value: Expression | undefined }
  | { readonly kind: "raise"; readonly value: Expression | undefined }
  | { readonly kind: "assert"; readonly test: Expression }
  | {
      readonly kind: "if";
      readonly branches: readonly (readonly [Expression, readonly Statement[]])[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "for";
      readonly target: Expression;
      readonly values: Expression;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "while";
      readonly test: Expression;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "try";
      readonly body: readonly Statement[];
      readonly handlers: readonly Handler[];
      readonly otherwise: readonly Statement[];
      readonly finally: readonly Statement[];
    }
  | {
      readonly kind: "with";
      readonly items: readonly (readonly [Expression, Expression | undefined])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: "pass" | "break" | "continue" }
  | { readonly kind: "import"; readonly names: readonly ImportedName[]; readonly all: string | undefined }
  | { readonly kind: "delete"; readonly targets: readonly Expression[] }
  | { readonly kind: "global"; readonly names: readonly string[] }
  | { readonly kind: "function"; readonly function: FunctionTree }
  | {
      readonly kind: "class";
      readonly name: string;
      readonly bases: readonly Expression[];
      readonly decorated: boolean;
      readonly body: readonly Statement[];
    }
  | { readonly kind: "unknown"; readonly what: string }
);
