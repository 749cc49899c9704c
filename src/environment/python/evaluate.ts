/** The value of a Python expression. */
import { builtinFunction } from "./builtins.ts";
import type { ConditionExpression } from "./expressions.ts";
import { binaryValue } from "./operators.ts";
import { PythonProblem } from "./problem.ts";
import { parsePython } from "./syntax.ts";
import { methodOfCollection, methodOfDict, methodOfText } from "./texts.ts";
import {
  equalValues,
  holds,
  isLess,
  isMember,
  itemsOf,
  type PythonValue,
  reprOf,
  requireHashable,
  typeOf,
} from "./values.ts";

/** Longest expression. */
const longestText = 10_000;
/** Most steps of one evaluation. */
const mostSteps = 100_000;

/** Names that Python knows besides the builtin functions that are evaluated here. */
const otherBuiltins = new Set(
  "__import__ ascii bin breakpoint bytearray bytes callable chr classmethod compile complex delattr dict dir divmod enumerate eval exec exit filter format frozenset getattr globals hasattr hash help hex id input isinstance issubclass iter locals map memoryview next object oct open ord pow print property quit reversed round setattr slice staticmethod super type vars zip".split(
    " ",
  ),
);

/**
 * Evaluates an expression as Python's `eval` does, as far as this program knows Python.
 *
 * @param names values of the names that are not Python's own
 * @param unknown names that have a value, but not here, and why
 * @throws {PythonProblem}
 */
export function evaluatePython(
  text: string,
  names: ReadonlyMap<string, PythonValue>,
  unknown: ReadonlyMap<string, string> = new Map(),
): PythonValue {
  if (text.length > longestText) throw new PythonProblem("unsupported", "the condition is too long", 0);
  return new Evaluation(unknown).valueOf(parsePython(text), names);
}

type Names = ReadonlyMap<string, PythonValue>;

class Evaluation {
  private steps = 0;
  private readonly unknown: ReadonlyMap<string, string>;

  constructor(unknown: ReadonlyMap<string, string>) {
    this.unknown = unknown;
  }

  valueOf(expression: ConditionExpression, names: Names): PythonValue {
    if (++this.steps > mostSteps)
      throw new PythonProblem("unsupported", "the condition takes too many steps", expression.at);
    switch (expression.kind) {
      case "constant":
        return expression.value;
      case "name":
        return this.nameValue(expression.name, expression.at, names);
      case "list":
      case "tuple":
      case "set":
        return {
          kind: expression.kind,
          items: distinct(
            expression.kind,
            expression.items.map((item) => this.valueOf(item, names)),
            expression.at,
          ),
        };
      case "dict":
        return {
          kind: "dict",
          entries: expression.entries
            .map(([key, value]) => {
              const name = this.valueOf(key, names);
              requireHashable(name, key.at);
              return [name, this.valueOf(value, names)] as const;
            })
            // If keys are equal, the last one applies.
            .filter(([key], index, all) => !all.slice(index + 1).some(([other]) => equalValues(other, key))),
        };
      case "attribute":
        return attributeOf(this.valueOf(expression.of, names), expression.name, expression.at);
      case "call":
        return this.call(expression, names);
      case "subscript":
        return itemOf(
          this.valueOf(expression.of, names),
          this.valueOf(expression.index, names),
          expression.at,
        );
      case "slice":
        return sliceOf(
          this.valueOf(expression.of, names),
          expression.parts.map((part) => (part === undefined ? null : this.valueOf(part, names))),
          expression.at,
        );
      case "unary":
        return unaryValue(expression.operator, this.valueOf(expression.value, names), expression.at);
      case "binary":
        return binaryValue(
          expression.operator,
          this.valueOf(expression.left, names),
          this.valueOf(expression.right, names),
          expression.at,
        );
      case "comparison":
        return this.comparison(expression, names);
      case "and":
      case "or":
        return this.joined(expression.kind, expression.parts, names);
      case "if":
        return this.valueOf(
          holds(this.valueOf(expression.test, names)) ? expression.yes : expression.no,
          names,
        );
      case "comprehension":
        return this.comprehension(expression, names);
    }
  }

  private nameValue(name: string, at: number, names: Names): PythonValue {
    const value = names.get(name) ?? builtinFunction(name);
    if (value !== undefined) return value;
    if (names.has(name)) return null;
    const reason = this.unknown.get(name);
    if (reason !== undefined) throw new PythonProblem("unsupported", reason, at);
    throw otherBuiltins.has(name)
      ? new PythonProblem("unsupported", `\`${name}\` is not evaluated here`, at)
      : new PythonProblem("python", `\`${name}\` is not a name that conditions know`, at);
  }

  /** As in Python, what no longer matters is not evaluated. */
  private joined(kind: "and" | "or", parts: readonly ConditionExpression[], names: Names): PythonValue {
    let value: PythonValue = null;
    for (const part of parts) {
      value = this.valueOf(part, names);
      if (holds(value) === (kind === "or")) break;
    }
    return value;
  }

  private comparison(
    { left, rest, at }: Extract<ConditionExpression, { kind: "comparison" }>,
    names: Names,
  ): PythonValue {
    let before = this.valueOf(left, names);
    for (const [operator, right] of rest) {
      const value = this.valueOf(right, names);
      if (!compare(operator, before, value, at)) return false;
      before = value;
    }
    return true;
  }

  private call(expression: Extract<ConditionExpression, { kind: "call" }>, names: Names): PythonValue {
    const callee = this.valueOf(expression.callee, names);
    if (typeof callee !== "object" || callee === null || callee.kind !== "function")
      throw new PythonProblem("python", `a value of type ${typeOf(callee)} cannot be called`, expression.at);
    return callee.call({
      values: expression.values.map((value) => this.valueOf(value, names)),
      named: new Map(expression.named.map(([name, value]) => [name, this.valueOf(value, names)])),
      at: expression.at,
    });
  }

  private comprehension(
    { of, item, loops, at }: Extract<ConditionExpression, { kind: "comprehension" }>,
    names: Names,
  ): PythonValue {
    const items: PythonValue[] = [];
    const run = (depth: number, scope: Names) => {
      const loop = loops[depth];
      if (loop === undefined) {
        items.push(this.valueOf(item, scope));
        return;
      }
      for (const value of itemsOf(this.valueOf(loop.values, scope), loop.values.at)) {
        const parts = loop.names.length === 1 ? [value] : itemsOf(value, loop.values.at);
        if (parts.length !== loop.names.length)
          throw new PythonProblem("python", `${loop.names.length} values are expected here`, loop.values.at);
        const inner = new Map([
          ...scope,
          ...loop.names.map((name, index) => [name, parts[index] ?? null] as const),
        ]);
        if (loop.conditions.every((condition) => holds(this.valueOf(condition, inner))))
          run(depth + 1, inner);
      }
    };
    run(0, names);
    const kind = of === "set" ? "set" : "list";
    return { kind, items: distinct(kind, items, at) };
  }
}

function distinct(
  kind: "list" | "tuple" | "set",
  items: readonly PythonValue[],
  at: number,
): readonly PythonValue[] {
  if (kind !== "set") return items;
  for (const item of items) requireHashable(item, at);
  return items.filter((item, index) => !items.slice(0, index).some((other) => equalValues(item, other)));
}

function compare(operator: string, left: PythonValue, right: PythonValue, at: number): boolean {
  switch (operator) {
    case "==":
      return equalValues(left, right);
    case "!=":
      return !equalValues(left, right);
    case "<":
      return isLess(left, right, false, at);
    case "<=":
      return isLess(left, right, true, at);
    case ">":
      return isLess(right, left, false, at);
    case ">=":
      return isLess(right, left, true, at);
    case "in":
      return isMember(left, right, at);
    case "not in":
      return !isMember(left, right, at);
    default: {
      const plain = left !== null && typeof left !== "object" && typeof left === typeof right;
      const same = left === right || (plain && equalValues(left, right));
      return operator === "is" ? same : !same;
    }
  }
}

function unaryValue(operator: string, value: PythonValue, at: number): PythonValue {
  if (operator === "not") return !holds(value);
  const number = typeof value === "boolean" ? (value ? 1n : 0n) : value;
  if (typeof number === "bigint") return operator === "-" ? -number : operator === "~" ? ~number : number;
  if (typeof number === "number" && operator !== "~") return operator === "-" ? -number : number;
  throw new PythonProblem("python", `\`${operator}\` needs a number, not ${typeOf(value)}`, at);
}

function attributeOf(value: PythonValue, name: string, at: number): PythonValue {
  if (typeof value === "string") return methodOfText(value, name, at);
  if (typeof value === "object" && value !== null) {
    if (value.kind === "dict") return methodOfDict(value, name, at);
    if (value.kind === "object") {
      const attribute = value.attribute(name, at);
      if (attribute !== undefined) return attribute;
    } else if ("items" in value) return methodOfCollection(value, name, at);
  }
  throw new PythonProblem("python", `a value of type ${typeOf(value)} has no \`${name}\``, at);
}

function itemOf(value: PythonValue, index: PythonValue, at: number): PythonValue {
  if (typeof value === "object" && value !== null) {
    if (value.kind === "object" && value.item !== undefined) return value.item(index, at);
    if (value.kind === "dict") {
      const entry = value.entries.find(([key]) => equalValues(key, index));
      if (entry !== undefined) return entry[1];
      throw new PythonProblem(
        "python",
        value.environment === true && typeof index === "string"
          ? `the environment variable \`${index}\` is not set`
          : `${reprOf(index)} is not in there`,
        at,
      );
    }
  }
  const items = typeof value === "string" || hasItems(value) ? itemsOf(value, at) : undefined;
  if (items === undefined)
    throw new PythonProblem("python", `a value of type ${typeOf(value)} has no items`, at);
  if (typeof index !== "bigint")
    throw new PythonProblem("python", `an index must be a whole number, not ${typeOf(index)}`, at);
  const item = items.at(Number(index));
  if (item === undefined || Number(index) < -items.length)
    throw new PythonProblem("python", `there is no item ${index}`, at);
  return item;
}

function hasItems(value: PythonValue): boolean {
  return typeof value === "object" && value !== null && (value.kind === "list" || value.kind === "tuple");
}

function sliceOf(value: PythonValue, parts: readonly PythonValue[], at: number): PythonValue {
  if (typeof value !== "string" && !hasItems(value))
    throw new PythonProblem("python", `a value of type ${typeOf(value)} has no parts`, at);
  const [from, to, step] = parts.map((part) => {
    if (part === null || typeof part === "bigint") return part === null ? undefined : Number(part);
    throw new PythonProblem("python", `an index must be a whole number, not ${typeOf(part)}`, at);
  });
  const all = itemsOf(value, at);
  const stride = step ?? 1;
  if (stride === 0) throw new PythonProblem("python", "a step cannot be 0", at);
  const picked: PythonValue[] = [];
  if (stride > 0) {
    const ordered = all.slice(from, to);
    for (let index = 0; index < ordered.length; index += stride) picked.push(ordered[index] ?? null);
  } else if (from === undefined && to === undefined) {
    for (let index = all.length - 1; index >= 0; index += stride) picked.push(all[index] ?? null);
  } else throw new PythonProblem("unsupported", "this part is not evaluated here", at);
  if (typeof value === "string") return picked.join("");
  return { kind: typeof value === "object" && value?.kind === "tuple" ? "tuple" : "list", items: picked };
}
