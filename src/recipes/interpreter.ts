/**
 * Runs statements of recipes. Where a statement is not understood, what it could have changed becomes unknown and the rest
 * goes on; only where it could have ended the function does the function end.
 */

import { locate, NotUnderstood, PythonException } from "../python/problem.ts";
import { bindArguments } from "./bindArguments.ts";
import type { ClassValue } from "./classes.ts";
import { exceptionMatches, exceptionOf, exceptionValue } from "./exceptions.ts";
import { ExpressionEvaluator, type FunctionParts } from "./expressions.ts";
import { binary } from "./operations.ts";
import { mentionsOf } from "./python/mentions.ts";
import type { Expression, FunctionTree, Statement } from "./python/tree.ts";
import { assignName, type NameScope, ownName, unknownValue } from "./scope.ts";
import {
  type CallArguments,
  isDictionary,
  isObject,
  isSequence,
  isTrue,
  type ObjectValue,
  type Value,
  valuesOf,
} from "./values.ts";

/** Steps that a statement counts for that is not understood: it takes longer than others. */
const costOfProblem = 200;
/** Deepest nesting of calls. */
const deepest = 40;

/** How statements ended; undefined: at their end. */
type Ending =
  | { readonly kind: "return"; readonly value: Value }
  | { readonly kind: "break" | "continue" }
  | undefined;

/** A function of a recipe. */
export class RecipeFunction implements ObjectValue {
  readonly kind = "object";
  readonly type = "function";
  readonly parts: FunctionParts;
  readonly scope: NameScope;
  private readonly interpreter: Interpreter;
  private readonly fallbacks: ReadonlyMap<string, Value>;

  constructor(
    parts: FunctionParts,
    scope: NameScope,
    interpreter: Interpreter,
    fallbacks: ReadonlyMap<string, Value>,
  ) {
    this.parts = parts;
    this.scope = scope;
    this.interpreter = interpreter;
    this.fallbacks = fallbacks;
  }

  attribute(name: string): Value | undefined {
    return name === "__name__" ? this.parts.name : undefined;
  }

  call(given: CallArguments): Value {
    return this.callAs(given, undefined);
  }

  /** Calls it as a method that stands in `owner`. */
  callAs(given: CallArguments, owner: ClassValue | undefined): Value {
    return this.interpreter.run(this, this.fallbacks, given, owner);
  }
}

/** What imports lead to, and what classes are made of. */
export interface Library {
  /** A name of a module; without a name the module itself. @throws NotUnderstood */
  readonly imported: (module: string, name: string | undefined) => Value;
  readonly classOf: (statement: Extract<Statement, { kind: "class" }>, scope: NameScope) => Value;
  readonly superOf: (owner: ClassValue, self: Value) => Value;
}

export class Interpreter extends ExpressionEvaluator {
  private depth = 0;
  /** How many `try` there are around what runs: in them, what is not understood decides what is done. */
  private trying = 0;
  private readonly library: Library;
  private readonly onProblem: (problem: NotUnderstood) => void;
  /** Values whose changes matter outside: a statement that mentions them is never left out without a problem. */
  private readonly isWatched: (value: Value) => boolean;

  constructor(
    library: Library,
    onProblem: (problem: NotUnderstood) => void,
    isWatched: (value: Value) => boolean,
  ) {
    super();
    this.library = library;
    this.onProblem = onProblem;
    this.isWatched = isWatched;
  }

  override restart(): void {
    super.restart();
    this.depth = 0;
    this.trying = 0;
  }

  functionValue(parts: FunctionParts, scope: NameScope): ObjectValue {
    const fallbacks = new Map<string, Value>();
    for (const { name, fallback } of parts.parameters)
      if (fallback !== undefined) fallbacks.set(name, this.valueOrUnknown(fallback, scope));
    return new RecipeFunction(parts, scope, this, fallbacks);
  }

  /** The function of a definition. */
  functionOf(tree: FunctionTree, scope: NameScope): ObjectValue {
    return this.functionValue(tree, scope);
  }

  superOf(scope: NameScope, given: CallArguments): Value {
    const [, self = scope.self] = given.values;
    if (scope.owner === undefined || self === undefined)
      throw new NotUnderstood("`super()` outside a method");
    return this.library.superOf(scope.owner, self);
  }

  /** A value, or an unknown one with the reason. @throws PythonException */
  valueOrUnknown(expression: Expression, scope: NameScope): Value {
    try {
      return this.evaluate(expression, scope);
    } catch (thrown) {
      if (!(thrown instanceof NotUnderstood)) throw thrown;
      locate(thrown, scope.module.recipe, expression.line);
      return unknownValue(thrown);
    }
  }

  /** What a function returns. @throws NotUnderstood, PythonException */
  run(
    callee: RecipeFunction,
    fallbacks: ReadonlyMap<string, Value>,
    given: CallArguments,
    owner: ClassValue | undefined,
  ): Value {
    if (this.depth >= deepest) throw new NotUnderstood("calls that are nested too deeply");
    const { parts, scope: around } = callee;
    const names = bindArguments(parts, given, fallbacks);
    const first = parts.parameters[0]?.name;
    const scope: NameScope = {
      module: around.module,
      names,
      outer:
        around.classBody !== undefined || around.names === around.module.names
          ? []
          : [around.names, ...around.outer],
      globals: new Set(),
      owner: owner ?? around.owner,
      self: first === undefined || owner === undefined ? around.self : names.get(first),
      classBody: undefined,
    };
    this.depth++;
    try {
      const body = parts.body();
      if (!("length" in body)) return this.evaluate(body, scope);
      const ending = this.statements(body, scope);
      return ending?.kind === "return" ? ending.value : null;
    } finally {
      this.depth--;
    }
  }

  /** Runs statements. @throws NotUnderstood, PythonException */
  statements(statements: readonly Statement[], scope: NameScope): Ending {
    for (const statement of statements) {
      let ending: Ending;
      try {
        this.step(statement.line);
        ending =
          scope.classBody?.take(statement, scope) === true ? undefined : this.statement(statement, scope);
      } catch (thrown) {
        locate(thrown, scope.module.recipe, statement.line);
        // A recipe that Spack could read raises nothing while it is read.
        const problem = thrown instanceof PythonException && isDeclaring(scope) ? misread(thrown) : thrown;
        if (!(problem instanceof NotUnderstood) || this.trying > 0) throw thrown;
        this.goOn(statement, problem, scope);
      }
      if (ending !== undefined) return ending;
    }
    return undefined;
  }

  /** Goes on after a statement that was not understood. @throws NotUnderstood where the statement could end what runs */
  private goOn(statement: Statement, problem: NotUnderstood, scope: NameScope): void {
    this.step(statement.line, costOfProblem);
    const { assigned, used, ends } = mentionsOf([statement]);
    const declares = isDeclaring(scope);
    if (ends && !declares) throw problem;
    let watched = statement.kind !== "assign" && statement.kind !== "import";
    const changed = new Set(assigned);
    for (const name of used) {
      const value = ownName(scope, name);
      if (value === undefined) continue;
      if (this.isWatched(value)) watched = true;
      if ((isSequence(value) && value.kind !== "tuple") || isDictionary(value)) changed.add(name);
    }
    if (statement.kind === "assign")
      for (const target of statement.targets)
        if (!isNames(target) && !this.assignedUnknown(target, problem, scope)) watched = true;
    for (const name of changed) assignName(scope, name, unknownValue(problem));
    if (watched && !declares) this.onProblem(problem);
  }

  /** Makes an attribute of an object unknown. False where that is not possible. */
  private assignedUnknown(target: Expression, problem: NotUnderstood, scope: NameScope): boolean {
    if (target.kind !== "attribute" || target.of.kind !== "name") return false;
    const of = ownName(scope, target.of.name);
    if (of === undefined || !isObject(of) || of.setAttribute === undefined) return false;
    of.setAttribute(target.name, unknownValue(problem));
    return true;
  }

  private statement(statement: Statement, scope: NameScope): Ending {
    switch (statement.kind) {
      case "expression":
        this.evaluate(statement.value, scope);
        return undefined;
      case "assign": {
        const value = this.evaluate(statement.value, scope);
        for (const target of statement.targets) this.assign(target, value, scope);
        return undefined;
      }
      case "update":
        this.update(statement, scope);
        return undefined;
      case "return":
        return {
          kind: "return",
          value: statement.value === undefined ? null : this.evaluate(statement.value, scope),
        };
      case "raise":
        throw exceptionOf(statement.value === undefined ? undefined : this.evaluate(statement.value, scope));
      case "assert":
        if (!isTrue(this.evaluate(statement.test, scope)))
          throw new PythonException("AssertionError", "an assertion failed");
        return undefined;
      case "if":
        for (const [test, body] of statement.branches)
          if (isTrue(this.evaluate(test, scope))) return this.statements(body, scope);
        return this.statements(statement.otherwise, scope);
      case "for":
        for (const value of valuesOf(this.evaluate(statement.values, scope))) {
          this.step(statement.line);
          this.assign(statement.target, value, scope);
          const ending = this.statements(statement.body, scope);
          if (ending?.kind === "break") return undefined;
          if (ending?.kind === "return") return ending;
        }
        return this.statements(statement.otherwise, scope);
      case "while":
        while (isTrue(this.evaluate(statement.test, scope))) {
          this.step(statement.line);
          const ending = this.statements(statement.body, scope);
          if (ending?.kind === "break") return undefined;
          if (ending?.kind === "return") return ending;
        }
        return this.statements(statement.otherwise, scope);
      case "try":
        return this.attempt(statement, scope);
      case "pass":
        return undefined;
      case "break":
      case "continue":
        return { kind: statement.kind };
      case "import":
        for (const { module, name, local } of statement.names)
          assignName(scope, local, this.importedOrUnknown(module, name));
        return undefined;
      case "global":
        for (const name of statement.names) scope.globals.add(name);
        return undefined;
      case "function":
        if (statement.function.decorators.length > 0) throw new NotUnderstood("a function with a decorator");
        assignName(scope, statement.function.name, this.functionOf(statement.function, scope));
        return undefined;
      case "class":
        assignName(scope, statement.name, this.library.classOf(statement, scope));
        return undefined;
      case "with":
        throw new NotUnderstood("a `with` statement");
      case "delete":
        throw new NotUnderstood("a `del` statement");
      case "unknown":
        throw new NotUnderstood(statement.what, statement.line);
    }
  }

  private importedOrUnknown(module: string, name: string | undefined): Value {
    try {
      return this.library.imported(module, name);
    } catch (thrown) {
      if (!(thrown instanceof NotUnderstood)) throw thrown;
      return unknownValue(thrown);
    }
  }

  private update(statement: Extract<Statement, { kind: "update" }>, scope: NameScope): void {
    const left = this.evaluate(statement.target, scope);
    const right = this.evaluate(statement.value, scope);
    // A list is changed in place, for all who have it.
    if (statement.operator === "+" && isSequence(left) && left.kind === "list") {
      left.items = [...left.items, ...valuesOf(right)];
      return;
    }
    this.assign(statement.target, binary(statement.operator, left, right), scope);
  }

  private attempt(statement: Extract<Statement, { kind: "try" }>, scope: NameScope): Ending {
    let ending: Ending;
    try {
      ending = this.caught(statement, scope);
    } catch (thrown) {
      if (thrown instanceof PythonException) {
        const last = this.statements(statement.finally, scope);
        if (last !== undefined) return last;
      }
      throw thrown;
    }
    return this.statements(statement.finally, scope) ?? ending;
  }

  private caught(statement: Extract<Statement, { kind: "try" }>, scope: NameScope): Ending {
    let ending: Ending;
    this.trying++;
    try {
      ending = this.statements(statement.body, scope);
    } catch (thrown) {
      if (!(thrown instanceof PythonException)) throw thrown;
      const handler = statement.handlers.find(
        ({ types }) => types === undefined || exceptionMatches(thrown, this.evaluate(types, scope)),
      );
      if (handler === undefined) throw thrown;
      if (handler.name !== undefined) assignName(scope, handler.name, exceptionValue(thrown));
      this.trying--;
      try {
        return this.statements(handler.body, scope);
      } finally {
        this.trying++;
      }
    } finally {
      this.trying--;
    }
    return ending ?? this.statements(statement.otherwise, scope);
  }
}

/** Whether the top of a file or a class is being read. */
function isDeclaring(scope: NameScope): boolean {
  return scope.classBody !== undefined || scope.names === scope.module.names;
}

function misread({ message, place }: PythonException): NotUnderstood {
  const problem = new NotUnderstood(message, place.line);
  problem.place.recipe = place.recipe;
  return problem;
}

function isNames(target: Expression): boolean {
  if (target.kind === "tuple" || target.kind === "list") return target.items.every(isNames);
  return target.kind === "name";
}
