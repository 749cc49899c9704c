/** What operators do with values. */

import type { BinaryOperator, ComparisonOperator, UnaryOperator } from "../python/operators.ts";
import { NotUnderstood, PythonException } from "../python/problem.ts";
import { percentText } from "./formatting.ts";
import {
  areEqual,
  bounded,
  compareValues,
  dictionary,
  has,
  isDictionary,
  isIn,
  isObject,
  isSequence,
  isTrue,
  largest,
  numberIn,
  set,
  textIn,
  typeName,
  type Value,
} from "./values.ts";

/** `left OPERATOR right`. @throws NotUnderstood, PythonException */
export function binary(operator: BinaryOperator, left: Value, right: Value): Value {
  const text = textIn(left);
  if (operator === "%" && text !== undefined) return percentText(text, right);
  if (operator === "+") {
    const other = textIn(right);
    if (text !== undefined && other !== undefined) return bounded(text + other);
    if (isSequence(left) && isSequence(right) && left.kind === right.kind && left.kind !== "set")
      return { kind: left.kind, items: bounded([...left.items, ...right.items]) };
    if (isObject(left) && left.plus !== undefined) return left.plus(right, false);
    if (isObject(right) && right.plus !== undefined) return right.plus(left, true);
  }
  if (operator === "*") {
    const [repeated, count] = numberIn(left) === undefined ? [left, right] : [right, left];
    const times = typeof count === "number" ? Math.max(0, count) : undefined;
    const whole = textIn(repeated);
    if (times !== undefined && whole !== undefined) {
      if (whole.length * times > largest) throw new NotUnderstood("a value that is too large");
      return whole.repeat(times);
    }
    if (times !== undefined && isSequence(repeated) && repeated.kind !== "set") {
      if (repeated.items.length * times > largest) throw new NotUnderstood("a value that is too large");
      return { kind: repeated.kind, items: Array.from({ length: times }, () => repeated.items).flat() };
    }
  }
  if (isSequence(left) && isSequence(right) && left.kind === "set" && right.kind === "set") {
    if (operator === "|") return set([...left.items, ...right.items]);
    if (operator === "&") return set(left.items.filter((item) => has(right.items, item)));
    if (operator === "-") return set(left.items.filter((item) => !has(right.items, item)));
  }
  if (operator === "|" && isDictionary(left) && isDictionary(right))
    return dictionary([...left.entries.values(), ...right.entries.values()]);
  const [a, b] = [numberIn(left), numberIn(right)];
  if (a === undefined || b === undefined)
    throw new PythonException(
      "TypeError",
      `unsupported operand types for ${operator}: '${typeName(left)}' and '${typeName(right)}'`,
    );
  const whole = typeof left !== "object" && typeof right !== "object" && operator !== "/";
  const value = arithmetic(operator, a, b);
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    throw new NotUnderstood("a number that is too large");
  return whole ? value : { kind: "float", value };
}

function arithmetic(operator: BinaryOperator, a: number, b: number): number {
  if (b === 0 && (operator === "/" || operator === "//" || operator === "%"))
    throw new PythonException("ZeroDivisionError", "division by zero");
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    case "%":
      return a - Math.floor(a / b) * b;
    default:
      throw new NotUnderstood(`the operator \`${operator}\` with numbers`);
  }
}

/** `OPERATOR value`. @throws NotUnderstood, PythonException */
export function unary(operator: UnaryOperator, value: Value): Value {
  if (operator === "not") return !isTrue(value);
  const number = numberIn(value);
  if (number === undefined || operator === "~")
    throw new NotUnderstood(`\`${operator}\` before a ${typeName(value)}`);
  const result = operator === "-" ? -number : number;
  return typeof value === "object" ? { kind: "float", value: result } : result;
}

/** `left OPERATOR right`. @throws PythonException */
export function compared(operator: ComparisonOperator, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return areEqual(left, right);
    case "!=":
      return !areEqual(left, right);
    case "in":
      return isIn(left, right);
    case "not in":
      return !isIn(left, right);
    case "is":
    case "is not": {
      const plain = left === null || typeof left !== "object";
      const same = left === right && (plain || isObject(left));
      if (!plain && right !== null && typeof right === "object" && !same && areEqual(left, right))
        throw new NotUnderstood("`is` between equal values");
      return same === (operator === "is");
    }
    default:
      break;
  }
  if (isSequence(left) && isSequence(right) && left.kind === "set" && right.kind === "set")
    throw new NotUnderstood("an order of sets");
  const order = compareValues(left, right);
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}
