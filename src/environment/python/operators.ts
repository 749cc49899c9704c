/** Python's binary operators. */
import { PythonProblem } from "./problem.ts";
import { equalValues, type PythonValue, typeOf } from "./values.ts";

/** Longest text or list that an operator may make. */
const longest = 1_000_000;
/** Most bits of a power. */
const mostBits = 10_000n;

/** The value of `left OPERATOR right`. @throws {PythonProblem} */
export function binaryValue(
  operator: string,
  left: PythonValue,
  right: PythonValue,
  at: number,
): PythonValue {
  if (typeof left === "boolean" && typeof right === "boolean") {
    if (operator === "&") return left && right;
    if (operator === "|") return left || right;
    if (operator === "^") return left !== right;
  }
  const [a, b] = [asNumber(left), asNumber(right)];
  if (a !== undefined && b !== undefined)
    return typeof a === "bigint" && typeof b === "bigint"
      ? ofIntegers(operator, a, b, at)
      : ofFloats(operator, Number(a), Number(b), at);
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") return bounded(left + right, at);
    if (isSequence(left) && isSequence(right) && left.kind === right.kind)
      return { kind: left.kind, items: bounded([...left.items, ...right.items], at) };
  }
  if (operator === "*") {
    const times = typeof b === "bigint" ? b : typeof a === "bigint" ? a : undefined;
    const repeated = a === undefined ? left : right;
    const count = times === undefined || times < 0n ? 0 : Number(times);
    if (times !== undefined && typeof repeated === "string") {
      if (repeated.length * count > longest) throw new PythonProblem("unsupported", "this is too long", at);
      return repeated.repeat(count);
    }
    if (times !== undefined && isSequence(repeated)) {
      if (repeated.items.length * count > longest)
        throw new PythonProblem("unsupported", "this is too long", at);
      return { kind: repeated.kind, items: Array.from({ length: count }, () => repeated.items).flat() };
    }
  }
  if (operator === "%" && typeof left === "string")
    throw new PythonProblem("unsupported", "`%` with texts is not evaluated here", at);
  if (isSet(left) && isSet(right)) {
    const has = (items: readonly PythonValue[], item: PythonValue) =>
      items.some((other) => equalValues(item, other));
    const only = left.items.filter((item) => !has(right.items, item));
    const others = right.items.filter((item) => !has(left.items, item));
    if (operator === "|") return { kind: "set", items: [...left.items, ...others] };
    if (operator === "-") return { kind: "set", items: only };
    if (operator === "^") return { kind: "set", items: [...only, ...others] };
    if (operator === "&") return { kind: "set", items: left.items.filter((item) => has(right.items, item)) };
  }
  throw new PythonProblem(
    "python",
    `\`${operator}\` cannot be used with ${typeOf(left)} and ${typeOf(right)}`,
    at,
  );
}

function asNumber(value: PythonValue): bigint | number | undefined {
  if (typeof value === "boolean") return value ? 1n : 0n;
  return typeof value === "bigint" || typeof value === "number" ? value : undefined;
}

function isSequence(
  value: PythonValue,
): value is { readonly kind: "list" | "tuple"; readonly items: readonly PythonValue[] } {
  return typeof value === "object" && value !== null && (value.kind === "list" || value.kind === "tuple");
}

function isSet(
  value: PythonValue,
): value is { readonly kind: "set"; readonly items: readonly PythonValue[] } {
  return typeof value === "object" && value !== null && value.kind === "set";
}

function bounded<T extends { readonly length: number }>(value: T, at: number): T {
  if (value.length > longest) throw new PythonProblem("unsupported", "this is too long", at);
  return value;
}

function ofIntegers(operator: string, a: bigint, b: bigint, at: number): PythonValue {
  if (b === 0n && /^(?:\/\/?|%)$/.test(operator)) throw new PythonProblem("python", "division by zero", at);
  // Python rounds towards minus infinity.
  const floor = () => (a % b !== 0n && a < 0n !== b < 0n ? a / b - 1n : a / b);
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return Number(a) / Number(b);
    case "//":
      return floor();
    case "%":
      return a - floor() * b;
    case "**":
      if (b < 0n) return Number(a) ** Number(b);
      if (b * BigInt(a.toString(2).length) > mostBits)
        throw new PythonProblem("unsupported", "this number is too large", at);
      return a ** b;
    case "|":
      return a | b;
    case "&":
      return a & b;
    case "^":
      return a ^ b;
    case "<<":
    case ">>":
      if (b < 0n) throw new PythonProblem("python", "bits cannot be moved by less than nothing", at);
      if (b > mostBits) throw new PythonProblem("unsupported", "this number is too large", at);
      return operator === "<<" ? a << b : a >> b;
    default:
      throw new PythonProblem("python", `\`${operator}\` cannot be used with numbers`, at);
  }
}

function ofFloats(operator: string, a: number, b: number, at: number): PythonValue {
  if (b === 0 && /^(?:\/\/?|%)$/.test(operator)) throw new PythonProblem("python", "division by zero", at);
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
    case "**":
      return a ** b;
    default:
      throw new PythonProblem("python", `\`${operator}\` needs whole numbers`, at);
  }
}
