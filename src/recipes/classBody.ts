/** Reads the body of a class of a recipe: its attributes, its methods with their conditions, what it extends. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { ClassValue, Extension, Member, MemberKind, Variant } from "./classes.ts";
import { type Interpreter, RecipeFunction } from "./interpreter.ts";
import type { Expression, FunctionTree, Statement } from "./python/tree.ts";
import type { NameScope } from "./scope.ts";
import { unknownValue } from "./scope.ts";
import { textIn } from "./values.ts";

/** Decorators that do not matter for what a method returns. */
const ignored =
  /^(?:memoized|lang\.memoized|spack\.llnl\.util\.lang\.memoized|llnl\.util\.lang\.memoized|lru_cache|functools\.lru_cache|cache|functools\.cache|run_after|run_before|on_package_attributes|cached_property|functools\.cached_property|override|overload)$/;

const kinds: Readonly<Record<string, MemberKind>> = {
  property: "property",
  cached_property: "property",
  "functools.cached_property": "property",
  staticmethod: "static",
  classmethod: "class",
};

/** `a.b.c` of an expression that is made of names, else empty. */
function dotted(expression: Expression): string {
  if (expression.kind === "name") return expression.name;
  if (expression.kind === "call") return dotted(expression.callee);
  if (expression.kind !== "attribute") return "";
  const of = dotted(expression.of);
  return of === "" ? "" : `${of}.${expression.name}`;
}

/** Fills a class with what its body says. */
export class ClassBodyReader {
  private readonly target: ClassValue;
  private readonly interpreter: Interpreter;
  /** Conditions of the `with when(…)` around what is read. */
  private readonly conditions: string[] = [];

  constructor(target: ClassValue, interpreter: Interpreter) {
    this.target = target;
    this.interpreter = interpreter;
  }

  read(body: readonly Statement[], around: NameScope): void {
    const scope: NameScope = {
      ...around,
      names: new Map(),
      classBody: { take: (statement, inner) => this.take(statement, inner) },
    };
    this.interpreter.statements(body, scope);
    for (const [name, value] of scope.names) {
      if (this.target.members.has(name)) continue;
      if (value instanceof RecipeFunction)
        this.target.members.set(name, { kind: "method", variants: [{ when: undefined, function: value }] });
      else this.target.members.set(name, { kind: "value", value });
    }
  }

  private take(statement: Statement, scope: NameScope): boolean {
    if (statement.kind === "function") {
      this.define(statement.function, scope);
      return true;
    }
    if (statement.kind === "expression" && statement.value.kind === "call") {
      const name = dotted(statement.value.callee);
      if (name === "build_system") return true;
      if (name !== "extends") return false;
      this.extend(statement.value, scope);
      return true;
    }
    if (statement.kind !== "with") return false;
    const conditions = statement.items.flatMap(([value]) =>
      value.kind === "call" && dotted(value) === "when" ? [this.text(value.arguments[0]?.value, scope)] : [],
    );
    this.conditions.push(...conditions);
    try {
      this.interpreter.statements(statement.body, scope);
    } finally {
      this.conditions.splice(this.conditions.length - conditions.length);
    }
    return true;
  }

  private text(expression: Expression | undefined, scope: NameScope): string {
    const text = expression === undefined ? undefined : textIn(this.interpreter.evaluate(expression, scope));
    if (text === undefined) throw new NotUnderstood("a condition that is no text");
    return text;
  }

  private extend(call: Extract<Expression, { kind: "call" }>, scope: NameScope): void {
    const when = call.arguments.find((one) => one.name === "when");
    const extension: Extension = {
      spec: this.text(call.arguments.find((one) => one.name === undefined)?.value, scope),
      when: [...this.conditions, ...(when === undefined ? [] : [this.text(when.value, scope)])],
    };
    this.target.extensions.push(extension);
  }

  private define(tree: FunctionTree, scope: NameScope): void {
    let kind: Exclude<MemberKind, "value"> = "method";
    let when: string | undefined | false;
    try {
      for (const decorator of tree.decorators) {
        const name = dotted(decorator);
        const own = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
        if (own !== undefined && own !== "value") kind = own;
        else if (name === "when" && decorator.kind === "call")
          when = this.condition(decorator.arguments[0]?.value, scope);
        // A property's setter is not needed to ask for its value.
        else if (/\.(?:setter|deleter)$/.test(name)) return;
        else if (!ignored.test(name)) throw new NotUnderstood(`the decorator \`${name}\``, decorator.line);
      }
    } catch (thrown) {
      if (!(thrown instanceof NotUnderstood || thrown instanceof PythonException)) throw thrown;
      const problem = thrown instanceof NotUnderstood ? thrown : new NotUnderstood(thrown.message, tree.line);
      problem.place.recipe ||= scope.module.recipe;
      problem.place.line ||= tree.line;
      this.target.members.set(tree.name, { kind: "value", value: unknownValue(problem) });
      return;
    }
    const made = this.interpreter.functionOf(tree, scope);
    scope.names.set(tree.name, made);
    this.put(tree.name, kind, { when, function: made });
  }

  private condition(expression: Expression | undefined, scope: NameScope): string | undefined | false {
    const value = expression === undefined ? null : this.interpreter.evaluate(expression, scope);
    if (typeof value === "boolean") return value ? "" : false;
    const text = textIn(value);
    if (text === undefined) throw new NotUnderstood("a condition that is no text");
    return text;
  }

  private put(name: string, kind: Exclude<MemberKind, "value">, variant: Variant): void {
    const before = this.target.members.get(name);
    // A method without a condition replaces those before it, one with a condition joins them.
    const variants =
      variant.when === undefined || before === undefined || before.kind === "value" ? [] : before.variants;
    const member: Member = { kind, variants: [...variants, variant] };
    this.target.members.set(name, member);
  }
}
