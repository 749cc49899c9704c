/** Evaluates expressions of recipes. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import { collectionMethod, pairsOf } from "./collectionMethods.ts";
import { converted, type FieldAccess, formatted } from "./formatting.ts";
import { binary, compared, unary } from "./operations.ts";
import type { Argument, Expression, Loop, Parameter, Statement, StringPart } from "./python/tree.ts";
import { assignName, known, lookUpName, type NameScope } from "./scope.ts";
import { textMethod } from "./textMethods.ts";
import {
  bounded,
  type CallArguments,
  dictionary,
  distinct,
  isDictionary,
  isObject,
  isSequence,
  isTrue,
  keyOf,
  list,
  type ObjectValue,
  prefix,
  put,
  set,
  textIn,
  tuple,
  typeName,
  type Value,
  valuesOf,
  word,
} from "./values.ts";

/** Most steps of one recipe's method with all that it calls. */
const mostSteps = 200_000;

/** What a function is made of. */
export interface FunctionParts {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: () => readonly Statement[] | Expression;
}

/** Evaluates expressions; functions are made and called by who extends it. */
export abstract class ExpressionEvaluator implements FieldAccess {
  private steps = 0;

  /** A function of a recipe. */
  abstract functionValue(parts: FunctionParts, scope: NameScope): ObjectValue;
  /** `super()`. */
  abstract superOf(scope: NameScope, given: CallArguments): Value;

  /** Begins a new method: the steps are counted from here. */
  restart(): void {
    this.steps = 0;
  }

  /** Counts a step. @throws NotUnderstood when there were too many */
  step(line: number, count = 1): void {
    this.steps += count;
    if (this.steps > mostSteps) throw new NotUnderstood("it takes too many steps", line);
  }

  /** The value of an expression. @throws NotUnderstood, PythonException */
  evaluate(expression: Expression, scope: NameScope): Value {
    this.step(expression.line);
    switch (expression.kind) {
      case "constant":
        return expression.value;
      case "float":
        return { kind: "float", value: expression.value };
      case "name":
        return lookUpName(scope, expression.name);
      case "text":
        return this.text(expression.parts, scope);
      case "tuple":
        return tuple(this.items(expression.items, scope));
      case "list":
        return list(this.items(expression.items, scope));
      case "set":
        return set(this.items(expression.items, scope));
      case "dict": {
        const made = dictionary([]);
        for (const [key, value] of expression.entries)
          if (key === undefined)
            for (const [name, one] of pairsOf(this.evaluate(value, scope))) put(made, name, one);
          else put(made, this.evaluate(key, scope), this.evaluate(value, scope));
        return made;
      }
      case "attribute":
        return this.attribute(this.evaluate(expression.of, scope), expression.name);
      case "call":
        return this.call(expression, scope);
      case "item":
        return this.indexed(this.evaluate(expression.of, scope), expression.index, scope);
      case "unary":
        return unary(expression.operator, this.evaluate(expression.value, scope));
      case "binary":
        return binary(
          expression.operator,
          this.evaluate(expression.left, scope),
          this.evaluate(expression.right, scope),
        );
      case "comparison": {
        let left = this.evaluate(expression.left, scope);
        for (const [operator, part] of expression.rest) {
          const right = this.evaluate(part, scope);
          if (!compared(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case "and":
      case "or":
        return this.joined(expression.kind, expression.parts, scope);
      case "if":
        return this.evaluate(
          isTrue(this.evaluate(expression.test, scope)) ? expression.yes : expression.no,
          scope,
        );
      case "comprehension":
        return this.comprehension(expression, scope);
      case "lambda":
        return this.functionValue(
          { name: "<lambda>", parameters: expression.parameters, body: () => expression.body },
          scope,
        );
      case "assigned": {
        const value = this.evaluate(expression.value, scope);
        assignName(scope, expression.name, value);
        return value;
      }
      case "starred":
        throw new NotUnderstood("`*` here");
      case "slice":
        throw new NotUnderstood("a slice here");
      case "unknown":
        throw new NotUnderstood(expression.what, expression.line);
    }
  }

  /** As Python, what does not matter any more is not looked at. */
  private joined(kind: "and" | "or", parts: readonly Expression[], scope: NameScope): Value {
    let value: Value = null;
    for (const part of parts) {
      value = this.evaluate(part, scope);
      if (isTrue(value) === (kind === "or")) break;
    }
    return value;
  }

  private text(parts: readonly StringPart[], scope: NameScope): string {
    let text = "";
    for (const part of parts) {
      text +=
        typeof part === "string"
          ? part
          : formatted(
              converted(this.evaluate(part.value, scope), part.conversion),
              this.text(part.format, scope),
            );
      bounded(text);
    }
    return text;
  }

  private items(items: readonly Expression[], scope: NameScope): Value[] {
    return items.flatMap((item) =>
      item.kind === "starred" ? valuesOf(this.evaluate(item.value, scope)) : [this.evaluate(item, scope)],
    );
  }

  private call(expression: Extract<Expression, { kind: "call" }>, scope: NameScope): Value {
    const { callee } = expression;
    if (callee.kind === "name" && callee.name === "super")
      return this.superOf(scope, this.given(expression.arguments, scope));
    const value = this.evaluate(callee, scope);
    return this.callValue(value, this.given(expression.arguments, scope));
  }

  /** What a call of a value returns. @throws NotUnderstood, PythonException */
  callValue(value: Value, given: CallArguments): Value {
    if (!isObject(value) || value.call === undefined) {
      if (isObject(value)) throw new NotUnderstood(`a call of a ${value.type}`);
      throw new PythonException("TypeError", `'${typeName(value)}' object is not callable`);
    }
    return known(value.call(given));
  }

  private given(expressions: readonly Argument[], scope: NameScope): CallArguments {
    const values: Value[] = [];
    const named = new Map<string, Value>();
    for (const { name, spread, value } of expressions) {
      const one = this.evaluate(value, scope);
      if (spread === "*") values.push(...valuesOf(one));
      else if (spread === "**") for (const [key, each] of pairsOf(one)) named.set(word(key), each);
      else if (name !== undefined) named.set(name, one);
      else values.push(one);
    }
    return { values: bounded(values), named };
  }

  /** `value.name`. @throws NotUnderstood, PythonException */
  attribute(value: Value, name: string): Value {
    const found = this.attributeIn(value, name);
    if (found === undefined)
      throw new PythonException("AttributeError", `'${typeName(value)}' object has no attribute '${name}'`);
    return known(found);
  }

  private attributeIn(value: Value, name: string): Value | undefined {
    if (typeof value === "string") return textMethod(value, name, this);
    if (typeof value !== "object" || value === null || value.kind === "float") {
      throw new NotUnderstood(`\`${name}\` of a value of type ${typeName(value)}`);
    }
    if (value.kind === "prefix") return this.prefixAttribute(value.text, name);
    if (value.kind !== "object") return collectionMethod(value, name);
    return value.attribute?.(name);
  }

  private prefixAttribute(path: string, name: string): Value {
    if (name === "join")
      return {
        kind: "object",
        type: "function",
        call: ({ values: [part = null] }) => prefix(joinPath(path, word(part))),
      };
    // Prefix is a kind of str, whose methods come first.
    return textMethod(path, name, this) ?? prefix(joinPath(path, name));
  }

  private indexed(value: Value, index: Expression, scope: NameScope): Value {
    if (index.kind !== "slice") return this.item(value, this.evaluate(index, scope));
    const parts = index.parts.map((part) => {
      const one = part === undefined ? null : this.evaluate(part, scope);
      if (one !== null && typeof one !== "number")
        throw new PythonException("TypeError", "slice indices must be integers");
      return one;
    });
    return sliced(value, parts);
  }

  /** `value[index]`. @throws NotUnderstood, PythonException */
  item(value: Value, index: Value): Value {
    if (isDictionary(value)) {
      const found = value.entries.get(keyOf(index));
      if (found === undefined) throw new PythonException("KeyError", textIn(index) ?? "no such key");
      return known(found[1]);
    }
    if (isObject(value)) {
      if (value.item === undefined)
        throw new PythonException("TypeError", `'${value.type}' object is not subscriptable`);
      return known(value.item(index));
    }
    const text = textIn(value);
    const items =
      text !== undefined ? [...text] : isSequence(value) && value.kind !== "set" ? value.items : undefined;
    if (items === undefined)
      throw new PythonException("TypeError", `'${typeName(value)}' object is not subscriptable`);
    if (typeof index !== "number") throw new PythonException("TypeError", "indices must be integers");
    const found = items[index < 0 ? items.length + index : index];
    if (found === undefined) throw new PythonException("IndexError", "index out of range");
    return known(found);
  }

  private comprehension(expression: Extract<Expression, { kind: "comprehension" }>, scope: NameScope): Value {
    const items: Value[] = [];
    const made = dictionary([]);
    const inner: NameScope = { ...scope, names: new Map(), outer: [scope.names, ...scope.outer] };
    this.loop(expression.loops, 0, inner, () => {
      const value = this.evaluate(expression.item, inner);
      if (expression.key === undefined) bounded(items).push(value);
      else put(made, this.evaluate(expression.key, inner), value);
    });
    if (expression.of === "dict") return made;
    return expression.of === "set" ? { kind: "set", items: distinct(items) } : list(items);
  }

  private loop(loops: readonly Loop[], depth: number, scope: NameScope, each: () => void): void {
    const loop = loops[depth];
    if (loop === undefined) {
      each();
      return;
    }
    for (const value of valuesOf(this.evaluate(loop.values, scope))) {
      this.step(loop.values.line);
      this.assign(loop.target, value, scope);
      if (loop.conditions.every((condition) => isTrue(this.evaluate(condition, scope))))
        this.loop(loops, depth + 1, scope, each);
    }
  }

  /** `target = value`. @throws NotUnderstood, PythonException */
  assign(target: Expression, value: Value, scope: NameScope): void {
    switch (target.kind) {
      case "name":
        assignName(scope, target.name, value);
        return;
      case "tuple":
      case "list": {
        if (target.items.some((item) => item.kind === "starred"))
          throw new NotUnderstood("`*` in an assignment");
        const values = valuesOf(value);
        if (values.length !== target.items.length)
          throw new PythonException(
            "ValueError",
            `${target.items.length} values are expected, not ${values.length}`,
          );
        for (const [index, item] of target.items.entries()) this.assign(item, values[index] ?? null, scope);
        return;
      }
      case "attribute": {
        const of = this.evaluate(target.of, scope);
        if (!isObject(of) || of.setAttribute === undefined)
          throw new NotUnderstood(`an assignment to \`${target.name}\` of a ${typeName(of)}`);
        of.setAttribute(target.name, value);
        return;
      }
      case "item": {
        const of = this.evaluate(target.of, scope);
        const index = this.evaluate(target.index, scope);
        if (isDictionary(of)) put(of, index, value);
        else if (isSequence(of) && of.kind === "list" && typeof index === "number") {
          const at = index < 0 ? of.items.length + index : index;
          if (of.items[at] === undefined)
            throw new PythonException("IndexError", "assignment index out of range");
          of.items[at] = value;
        } else throw new NotUnderstood(`an assignment to an item of a ${typeName(of)}`);
        return;
      }
      default:
        throw new NotUnderstood("an assignment to this");
    }
  }
}

/** `os.path.join` of two paths. */
export function joinPath(path: string, part: string): string {
  if (part.startsWith("/")) return part;
  return path === "" || path.endsWith("/") ? path + part : `${path}/${part}`;
}

/** `value[from:to:step]`. @throws NotUnderstood, PythonException */
function sliced(value: Value, [from = null, to = null, stride = null]: readonly (number | null)[]): Value {
  if (isObject(value)) {
    if (value.item === undefined)
      throw new PythonException("TypeError", `'${value.type}' object is not subscriptable`);
    return value.item({ kind: "object", type: "slice", iterate: () => [from, to, stride] });
  }
  const text = textIn(value);
  const items =
    text !== undefined ? [...text] : isSequence(value) && value.kind !== "set" ? value.items : undefined;
  if (items === undefined)
    throw new PythonException("TypeError", `'${typeName(value)}' object is not subscriptable`);
  const picked = slicedItems(items, from, to, stride);
  if (text !== undefined) return picked.join("");
  return { kind: isSequence(value) ? value.kind : "list", items: picked };
}

/** The items of a slice. @throws NotUnderstood, PythonException */
export function slicedItems<Item>(
  items: readonly Item[],
  from: number | null,
  to: number | null,
  stride: number | null,
): Item[] {
  const step = stride ?? 1;
  if (step === 0) throw new PythonException("ValueError", "slice step cannot be zero");
  if (step > 0) return items.slice(from ?? 0, to ?? items.length).filter((_, index) => index % step === 0);
  if (from !== null || to !== null) throw new NotUnderstood("a slice that goes backwards");
  return [...items].reverse().filter((_, index) => index % -step === 0);
}
