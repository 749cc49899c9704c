/** Names and their values while a recipe is evaluated. */

import { NotUnderstood } from "../python/problem.ts";
import type { ClassValue } from "./classes.ts";
import type { ModuleScope } from "./moduleScope.ts";
import type { Statement } from "./python/tree.ts";
import { isObject, type ObjectValue, type Value } from "./values.ts";

/** What a class that is being read does with statements that are its own. */
export interface ClassBody {
  /** True when the statement was dealt with. */
  readonly take: (statement: Statement, scope: NameScope) => boolean;
}

/** The names of a function that runs, or of a class or file while it is read. */
export interface NameScope {
  readonly module: ModuleScope;
  readonly names: Map<string, Value>;
  /** Names of the functions around it, the nearest one first. */
  readonly outer: readonly Map<string, Value>[];
  /** Names that are those of the file. */
  readonly globals: Set<string>;
  /** For `super()`: the class whose method runs, and its first argument. */
  readonly owner: ClassValue | undefined;
  readonly self: Value | undefined;
  readonly classBody: ClassBody | undefined;
}

/** The scope of a file. */
export function moduleScope(module: ModuleScope): NameScope {
  return {
    module,
    names: module.names,
    outer: [],
    globals: new Set(),
    owner: undefined,
    self: undefined,
    classBody: undefined,
  };
}

/** A value that is not known, since what made it was not understood. */
export interface UnknownValue extends ObjectValue {
  readonly type: "unknown";
  readonly problem: NotUnderstood;
}

export function unknownValue(problem: NotUnderstood): UnknownValue {
  return { kind: "object", type: "unknown", problem };
}

/** The value, if it is known. @throws NotUnderstood with the reason for which it is not */
export function known(value: Value): Value {
  if (
    isObject(value) &&
    value.type === "unknown" &&
    "problem" in value &&
    value.problem instanceof NotUnderstood
  )
    throw value.problem;
  return value;
}

/** The value of a name that stands in a scope, or undefined. */
export function ownName(scope: NameScope, name: string): Value | undefined {
  if (scope.globals.has(name)) return scope.module.names.get(name);
  for (const names of [scope.names, ...scope.outer]) {
    const value = names.get(name);
    if (value !== undefined) return value;
  }
  return scope.module.names.get(name);
}

/** @throws NotUnderstood, PythonException when there is no such name */
export function lookUpName(scope: NameScope, name: string): Value {
  const value = ownName(scope, name);
  return known(value === undefined ? scope.module.lookup(name) : value);
}

export function assignName(scope: NameScope, name: string, value: Value): void {
  (scope.globals.has(name) ? scope.module.names : scope.names).set(name, value);
}
