/** The operators of Python's expressions, and how tightly each binds its operands. */

/** Operators of two numbers, texts or collections. */
export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "@" | "**" | "|" | "&" | "^" | "<<" | ">>";

/** Operators whose value is True or False. */
export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in" | "is" | "is not";

/** Operators of one value. */
export type UnaryOperator = "-" | "+" | "~" | "not";

/** Binary operators from the loosest to the tightest; `**` binds tighter than all of them. */
const levels: readonly ReadonlySet<string>[] = [
  new Set(["|"]),
  new Set(["^"]),
  new Set(["&"]),
  new Set(["<<", ">>"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "//", "%", "@"]),
];

const comparisons: ReadonlySet<string> = new Set([
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "in",
  "not in",
  "is",
  "is not",
]);

/** Most operators that may stand before one operand or follow one another to the right. */
const deepest = 60;

/** Where operators and operands come from, in the order of the text. */
export interface OperatorSource<Node> {
  /** The operator that comes `ahead` words later; undefined for an operand and at the end. */
  readonly operator: (ahead: number) => string | undefined;
  /** Passes `count` operators. */
  readonly skip: (count: number) => void;
  /** Reads the operand that comes next. Throws when there is none. */
  readonly operand: () => Node;
  /** Where the next word is: a line, or an offset. */
  readonly place: () => number;
  /** The error for operators that are nested too deeply. */
  readonly tooDeep: () => Error;
}

/** Makes the nodes of a tree. `at` is the place of the operator, or of the first one. */
export interface OperatorNodes<Node> {
  readonly joined: (kind: "and" | "or", parts: readonly Node[], at: number) => Node;
  readonly unary: (operator: UnaryOperator, value: Node, at: number) => Node;
  readonly comparison: (
    left: Node,
    rest: readonly (readonly [ComparisonOperator, Node])[],
    at: number,
  ) => Node;
  readonly binary: (
    operator: BinaryOperator,
    operands: readonly [left: Node, right: Node],
    at: number,
  ) => Node;
}

/** Reads operators and operands from a source, and binds them as Python does: `or` last, `**` first. */
export class OperatorReader<Node> {
  private readonly source: OperatorSource<Node>;
  private readonly nodes: OperatorNodes<Node>;
  private depth = 0;

  constructor(source: OperatorSource<Node>, nodes: OperatorNodes<Node>) {
    this.source = source;
    this.nodes = nodes;
  }

  /** An expression without `if` and `lambda`, up to the first word that is neither operator nor operand. */
  read(): Node {
    return this.joined("or", () => this.joined("and", () => this.negation()));
  }

  private joined(kind: "and" | "or", next: () => Node): Node {
    const at = this.source.place();
    const first = next();
    const parts = [first];
    while (this.take(kind)) parts.push(next());
    return parts.length === 1 ? first : this.nodes.joined(kind, parts, at);
  }

  private negation(): Node {
    const places: number[] = [];
    for (let at = this.source.place(); this.take("not"); at = this.source.place()) this.note(places, at);
    let value = this.comparison();
    for (const at of places.reverse()) value = this.nodes.unary("not", value, at);
    return value;
  }

  private comparison(): Node {
    const left = this.binary(0);
    const at = this.source.place();
    const rest: (readonly [ComparisonOperator, Node])[] = [];
    for (;;) {
      const operator = this.comparisonOperator();
      if (operator === undefined) break;
      rest.push([operator, this.binary(0)]);
    }
    return rest.length === 0 ? left : this.nodes.comparison(left, rest, at);
  }

  private comparisonOperator(): ComparisonOperator | undefined {
    const first = this.source.operator(0);
    if (first === undefined) return undefined;
    const both = `${first} ${this.source.operator(1) ?? ""}`;
    const operator = both === "not in" || both === "is not" ? both : first;
    if (!isComparison(operator)) return undefined;
    this.source.skip(operator === both ? 2 : 1);
    return operator;
  }

  private binary(level: number): Node {
    const operators = levels[level];
    if (operators === undefined) return this.signed();
    let left = this.binary(level + 1);
    for (;;) {
      const operator = this.source.operator(0);
      if (!isBinary(operator) || !operators.has(operator)) return left;
      const at = this.source.place();
      this.source.skip(1);
      left = this.nodes.binary(operator, [left, this.binary(level + 1)], at);
    }
  }

  private signed(): Node {
    const signs: (readonly ["-" | "+" | "~", number])[] = [];
    for (;;) {
      const operator = this.source.operator(0);
      if (operator !== "-" && operator !== "+" && operator !== "~") break;
      this.note(signs, [operator, this.source.place()] as const);
      this.source.skip(1);
    }
    let value = this.power();
    for (const [operator, at] of signs.reverse()) value = this.nodes.unary(operator, value, at);
    return value;
  }

  private power(): Node {
    const left = this.source.operand();
    const at = this.source.place();
    if (!this.take("**")) return left;
    if (++this.depth > deepest) throw this.source.tooDeep();
    const right = this.signed();
    this.depth--;
    return this.nodes.binary("**", [left, right], at);
  }

  private note<T>(noted: T[], one: T): void {
    if (noted.push(one) > deepest) throw this.source.tooDeep();
  }

  private take(operator: string): boolean {
    if (this.source.operator(0) !== operator) return false;
    this.source.skip(1);
    return true;
  }
}

function isComparison(operator: string): operator is ComparisonOperator {
  return comparisons.has(operator);
}

function isBinary(operator: string | undefined): operator is BinaryOperator {
  return operator !== undefined && levels.some((level) => level.has(operator));
}
