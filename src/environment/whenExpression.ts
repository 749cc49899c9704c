/**
 * The `when:` of definitions: a Python expression in Spack. The part of it that gives the same answer on every machine is
 * evaluated: `==`, `!=`, `in`, `not in`, `and`, `or`, `not`, parentheses, strings, `True`, `False`, and the names
 * `platform`, `os`, `target`, `arch_str`.
 */

/** Values of the names. A name without a value cannot be used. */
export interface WhenContext {
  readonly platform: string;
  readonly os: string | undefined;
  readonly target: string | undefined;
}

/** The answer, or why there is none. `offset` is the character at which reading stopped. */
export type WhenAnswer = { readonly value: boolean } | { readonly problem: string; readonly offset: number };

interface Token {
  readonly kind: "name" | "string" | "operator" | "end";
  readonly text: string;
  readonly offset: number;
}

class Refusal extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s+|([A-Za-z_][A-Za-z0-9_]*)|"([^"\\]*)"|'([^'\\]*)'|(==|!=|\(|\))/gy;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) throw new Refusal(`\`${text[at]}\` is not understood here`, at);
    if (match[1] !== undefined) tokens.push({ kind: "name", text: match[1], offset: at });
    else if (match[4] !== undefined) tokens.push({ kind: "operator", text: match[4], offset: at });
    else {
      const string = match[2] ?? match[3];
      if (string !== undefined) tokens.push({ kind: "string", text: string, offset: at });
    }
    at = pattern.lastIndex;
  }
  tokens.push({ kind: "end", text: "the end", offset: text.length });
  return tokens;
}

/** Evaluates an expression; what is not understood is refused, never guessed. */
export function evaluateWhen(text: string, context: WhenContext): WhenAnswer {
  try {
    if (text.length > 1000) throw new Refusal("the condition is too long", 0);
    return { value: evaluate(tokenize(text), context) };
  } catch (thrown) {
    if (thrown instanceof Refusal) return { problem: thrown.message, offset: thrown.offset };
    throw thrown;
  }
}

function evaluate(tokens: readonly Token[], context: WhenContext): boolean {
  let at = 0;
  let depth = 0;
  const end: Token = { kind: "end", text: "the end", offset: 0 };
  const peek = () => tokens[at] ?? end;
  const accept = (text: string) => {
    const found = peek().kind !== "string" && peek().text === text;
    if (found) at++;
    return found;
  };
  const either = (): boolean => {
    let value = both();
    while (accept("or")) value = both() || value;
    return value;
  };
  const both = (): boolean => {
    let value = not();
    while (accept("and")) value = not() && value;
    return value;
  };
  const not = (): boolean => {
    let odd = false;
    while (accept("not")) odd = !odd;
    return comparison() !== odd;
  };
  const comparison = (): boolean => {
    if (accept("(")) {
      if (++depth > 50) throw new Refusal("the condition is nested too deeply", peek().offset);
      const value = either();
      if (!accept(")")) throw new Refusal("a closing parenthesis is missing", peek().offset);
      depth--;
      return value;
    }
    if (accept("True")) return true;
    if (accept("False")) return false;
    const left = operand();
    const operator = peek();
    if (accept("==")) return left === operand();
    if (accept("!=")) return left !== operand();
    if (accept("in")) return operand().includes(left);
    if (accept("not")) {
      if (!accept("in")) throw new Refusal("`in` is missing after `not`", peek().offset);
      return !operand().includes(left);
    }
    throw new Refusal("a comparison is missing", operator.offset);
  };
  const operand = (): string => {
    const token = peek();
    at++;
    if (token.kind === "string") return token.text;
    const value = token.kind === "name" ? contextValue(token.text, context) : undefined;
    if (value !== undefined) return value;
    throw new Refusal(
      token.kind === "name"
        ? `\`${token.text}\` has no value that is the same on every machine`
        : `${token.kind === "end" ? token.text : `\`${token.text}\``} is not understood here`,
      token.offset,
    );
  };
  const value = either();
  if (peek().kind !== "end") throw new Refusal(`\`${peek().text}\` is not understood here`, peek().offset);
  return value;
}

function contextValue(name: string, { platform, os, target }: WhenContext): string | undefined {
  if (name === "platform") return platform;
  if (name === "os") return os;
  if (name === "target") return target;
  if (name === "arch_str" && os !== undefined && target !== undefined) return `${platform}-${os}-${target}`;
  return undefined;
}
