/** Expressions of GitHub Actions, as far as the workflows have them that this program writes; and a little more. */
import { SpacktainersError } from "../util/errors.ts";

/** A value: what JSON has. */
export type ExpressionValue =
  | null
  | boolean
  | number
  | string
  | readonly ExpressionValue[]
  | { readonly [key: string]: ExpressionValue };

/** What an expression can ask. */
export interface ExpressionContext {
  /** Contexts by name: `github`, `needs`, `matrix`, … */
  readonly values: Readonly<Record<string, ExpressionValue>>;
  /** `success()`, `failure()` and `cancelled()`. */
  readonly status: { readonly success: boolean; readonly failure: boolean; readonly cancelled: boolean };
}

/** Longest expression, in characters. */
const longestExpression = 20_000;

/**
 * The value of an expression, without `${{ }}`.
 *
 * @throws SpacktainersError DEFINITION_INVALID for what is no expression, NOT_SUPPORTED for functions that are not known here
 */
export function evaluateExpression(text: string, context: ExpressionContext): ExpressionValue {
  const parser = new Parser(tokens(text), context);
  const value = parser.or();
  parser.end();
  return value;
}

/**
 * A text with expressions in it: their values in their places. A text that is one expression has its value.
 *
 * @throws SpacktainersError as {@link evaluateExpression}
 */
export function interpolate(text: string, context: ExpressionContext): ExpressionValue {
  const whole = /^\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*$/s.exec(text);
  if (whole?.[1] !== undefined) return evaluateExpression(whole[1], context);
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_, inner: string) => asText(evaluateExpression(inner, context)));
}

/**
 * Whether a job or step runs.
 *
 * @param text of `if`; undefined: it has none
 */
export function githubConditionHolds(text: string | undefined, context: ExpressionContext): boolean {
  if (text === undefined) return context.status.success;
  const inner = /^\s*\$\{\{(.*)\}\}\s*$/s.exec(text)?.[1] ?? text;
  // Without a word about the status only what came before a failure runs.
  const asksStatus = /\b(?:success|failure|cancelled|always)\s*\(/.test(inner);
  return (asksStatus || context.status.success) && isTrue(evaluateExpression(inner, context));
}

/** Text of a value, as it stands where an expression stood. */
export function asText(value: ExpressionValue): string {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

type Token = { readonly kind: "sign" | "name" | "string" | "number"; readonly text: string };

function tokens(text: string): readonly Token[] {
  if (text.length > longestExpression) throw invalid("the expression is too long");
  const found: Token[] = [];
  const pattern =
    /\s+|(?<string>'(?:[^']|'')*')|(?<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?))|(?<name>[A-Za-z_][A-Za-z0-9_-]*)|(?<sign>&&|\|\||==|!=|<=|>=|[!<>().,[\]*])/gy;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined && pattern.lastIndex === 0)
      throw invalid(`\`${text.slice(at, at + 20)}\` does not belong in an expression`);
    const { string, number, name, sign } = groups ?? {};
    if (string !== undefined) found.push({ kind: "string", text: string.slice(1, -1).replaceAll("''", "'") });
    else if (number !== undefined) found.push({ kind: "number", text: number });
    else if (name !== undefined) found.push({ kind: "name", text: name });
    else if (sign !== undefined) found.push({ kind: "sign", text: sign });
  }
  return found;
}

class Parser {
  private at = 0;
  private depth = 0;
  private readonly all: readonly Token[];
  private readonly context: ExpressionContext;

  constructor(all: readonly Token[], context: ExpressionContext) {
    this.all = all;
    this.context = context;
  }

  end(): void {
    const left = this.all[this.at];
    if (left !== undefined) throw invalid(`\`${left.text}\` does not belong here`);
  }

  or(): ExpressionValue {
    if (++this.depth > 100) throw invalid("the expression is nested too deeply");
    let value = this.and();
    while (this.take("||")) {
      const other = this.and();
      value = isTrue(value) ? value : other;
    }
    this.depth--;
    return value;
  }

  private and(): ExpressionValue {
    let value = this.comparison();
    while (this.take("&&")) {
      const other = this.comparison();
      value = isTrue(value) ? other : value;
    }
    return value;
  }

  private comparison(): ExpressionValue {
    let value = this.unary();
    for (;;) {
      const sign = ["==", "!=", "<=", ">=", "<", ">"].find((one) => this.take(one));
      if (sign === undefined) return value;
      const other = this.unary();
      if (sign === "==" || sign === "!=") value = isEqual(value, other) === (sign === "==");
      else {
        const [a, b] = [asNumber(value), asNumber(other)];
        value = sign === "<" ? a < b : sign === ">" ? a > b : sign === "<=" ? a <= b : a >= b;
      }
    }
  }

  private unary(): ExpressionValue {
    if (this.take("!")) return !isTrue(this.unary());
    return this.path(this.primary());
  }

  private primary(): ExpressionValue {
    const token = this.all[this.at++];
    if (token === undefined) throw invalid("the expression ends too early");
    if (token.kind === "string") return token.text;
    if (token.kind === "number") return Number(token.text);
    if (token.kind === "sign") {
      if (token.text !== "(") throw invalid(`\`${token.text}\` does not belong here`);
      const value = this.or();
      this.expect(")");
      return value;
    }
    if (this.take("(")) return this.call(token.text);
    if (token.text === "true" || token.text === "false") return token.text === "true";
    if (token.text === "null") return null;
    return lookUp(this.context.values, token.text);
  }

  private path(start: ExpressionValue): ExpressionValue {
    let value = start;
    // After `*` what follows is asked of every item.
    let each = false;
    for (;;) {
      if (this.take(".")) {
        const token = this.all[this.at++];
        if (token?.text === "*") {
          value = each ? itemsOf(value).flatMap(itemsOf) : itemsOf(value);
          each = true;
        } else if (token?.kind === "name")
          value = each
            ? itemsOf(value).flatMap((item) => {
                const found = lookUp(item, token.text);
                return found === null ? [] : [found];
              })
            : lookUp(value, token.text);
        else throw invalid("a name is missing behind a dot");
      } else if (this.take("[")) {
        const key = this.or();
        this.expect("]");
        value = lookUp(value, asText(key));
      } else return value;
    }
  }

  private call(name: string): ExpressionValue {
    const values: ExpressionValue[] = [];
    if (!this.take(")")) {
      do values.push(this.or());
      while (this.take(","));
      this.expect(")");
    }
    const [first = null, second = null] = values;
    const { status } = this.context;
    switch (name.toLowerCase()) {
      case "success":
        return status.success;
      case "failure":
        return status.failure;
      case "cancelled":
        return status.cancelled;
      case "always":
        return true;
      case "contains":
        return Array.isArray(first)
          ? first.some((item: ExpressionValue) => isEqual(item, second))
          : asText(first).toLowerCase().includes(asText(second).toLowerCase());
      case "startswith":
        return asText(first).toLowerCase().startsWith(asText(second).toLowerCase());
      case "endswith":
        return asText(first).toLowerCase().endsWith(asText(second).toLowerCase());
      case "format":
        return asText(first).replace(/\{(\d+)\}/g, (_, index: string) =>
          asText(values[Number(index) + 1] ?? null),
        );
      case "join":
        return itemsOf(first)
          .map(asText)
          .join(values.length > 1 ? asText(second) : ",");
      case "tojson":
        return JSON.stringify(first, undefined, 2);
      case "fromjson":
        return parsedJson(asText(first));
      case "hashfiles":
        // Keys of caches, which are this machine's own here.
        return "local";
      default:
        throw new SpacktainersError(
          "NOT_SUPPORTED",
          `the function ${name} of GitHub's expressions is not known here`,
        );
    }
  }

  private take(sign: string): boolean {
    const token = this.all[this.at];
    if (token?.kind !== "sign" || token.text !== sign) return false;
    this.at++;
    return true;
  }

  private expect(sign: string): void {
    if (!this.take(sign)) throw invalid(`\`${sign}\` is missing`);
  }
}

function isTrue(value: ExpressionValue): boolean {
  return value !== null && value !== false && value !== 0 && value !== "" && !Number.isNaN(value);
}

/** As GitHub compares: texts whatever their case, values of different kinds as numbers. */
function isEqual(a: ExpressionValue, b: ExpressionValue): boolean {
  if (typeof a === "string" && typeof b === "string") return a.toLowerCase() === b.toLowerCase();
  if (a === null && b === null) return true;
  if (typeof a === typeof b && a !== null && b !== null) return a === b;
  return asNumber(a) === asNumber(b);
}

function asNumber(value: ExpressionValue): number {
  if (value === null) return 0;
  if (typeof value === "object") return Number.NaN;
  return typeof value === "string" && value.trim() === "" ? 0 : Number(value);
}

function itemsOf(value: ExpressionValue): readonly ExpressionValue[] {
  if (Array.isArray(value)) return value;
  return typeof value === "object" && value !== null ? Object.values(value) : [];
}

/** What is not there is null. Names are compared whatever their case. */
function lookUp(value: ExpressionValue, name: string): ExpressionValue {
  if (Array.isArray(value)) return (value as readonly ExpressionValue[])[Number(name)] ?? null;
  if (typeof value !== "object" || value === null) return null;
  const wanted = name.toLowerCase();
  const found = Object.entries(value).find(([key]) => key.toLowerCase() === wanted);
  return found?.[1] ?? null;
}

function parsedJson(text: string): ExpressionValue {
  try {
    return JSON.parse(text) as ExpressionValue;
  } catch (cause) {
    throw new SpacktainersError("DEFINITION_INVALID", "the argument of fromJSON is not JSON", { cause });
  }
}

function invalid(message: string): SpacktainersError {
  return new SpacktainersError("DEFINITION_INVALID", message);
}
