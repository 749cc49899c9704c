/** Turns nodes of the grammar into expressions. */
import type { SyntaxNode } from "@lezer/common";
import { NotUnderstood } from "../../python/problem.ts";
import { unescaped } from "../../python/texts.ts";
import { bindOperators, type Token } from "./bindOperators.ts";
import { numberLiteral, quotingOf, stringLiteral } from "./literals.ts";
import type { SourceText } from "./sourceText.ts";
import type { Argument, Expression, Loop, Parameter, StringPart } from "./tree.ts";

/** Deepest nesting of expressions. */
const deepest = 100;

/** Turns nodes into expressions. @throws NotUnderstood from every method, where the text is not Python */
export class ExpressionReader {
  readonly source: SourceText;
  private depth = 0;

  constructor(source: SourceText) {
    this.source = source;
  }

  /** The expression of one node. */
  read(node: SyntaxNode): Expression {
    if (++this.depth > deepest) {
      this.depth = 0;
      throw new NotUnderstood("an expression that is nested too deeply", this.source.lineOf(node));
    }
    const value = this.expression(node);
    this.depth--;
    return value;
  }

  /** Several expressions with commas between them: one value, or a tuple. */
  readList(nodes: readonly SyntaxNode[]): Expression {
    const items = this.items(nodes);
    const [first] = items;
    const [firstNode] = nodes;
    if (firstNode === undefined) throw new NotUnderstood("a value that is missing");
    if (first !== undefined && items.length === 1 && !nodes.some((node) => node.name === ",")) return first;
    return { kind: "tuple", items, line: this.source.lineOf(firstNode) };
  }

  private expression(node: SyntaxNode): Expression {
    const line = this.source.lineOf(node);
    const children = this.source.childrenOf(node);
    switch (node.name) {
      case "VariableName":
        return { kind: "name", name: this.source.textOf(node), line };
      case "Number": {
        const { value, whole } = numberLiteral(this.source.textOf(node));
        return { kind: whole ? "constant" : "float", value, line };
      }
      case "String":
        return { kind: "constant", value: stringLiteral(this.source.textOf(node)), line };
      case "FormatString":
        return { kind: "text", parts: this.stringParts(node), line };
      case "ContinuedString":
        return { kind: "text", parts: children.flatMap((child) => this.stringParts(child)), line };
      case "Boolean":
        return { kind: "constant", value: this.source.textOf(node) === "True", line };
      case "None":
        return { kind: "constant", value: null, line };
      case "ParenthesizedExpression":
        return this.readList(children.slice(1, -1));
      case "TupleExpression":
        return { kind: "tuple", items: this.items(inside(children)), line };
      case "ArrayExpression":
        return { kind: "list", items: this.items(inside(children)), line };
      case "SetExpression":
        return { kind: "set", items: this.items(inside(children)), line };
      case "DictionaryExpression":
        return { kind: "dict", entries: this.entries(inside(children)), line };
      case "ArrayComprehensionExpression":
        return this.comprehension("list", inside(children), line);
      case "SetComprehensionExpression":
        return this.comprehension("set", inside(children), line);
      case "DictionaryComprehensionExpression":
        return this.comprehension("dict", inside(children), line);
      case "ComprehensionExpression":
        return this.comprehension("generator", inside(children), line);
      case "BinaryExpression":
      case "UnaryExpression":
        return bindOperators(this.operands(node, 0));
      case "ConditionalExpression": {
        const [yes, , test, , no] = children;
        if (yes === undefined || test === undefined || no === undefined) break;
        return { kind: "if", yes: this.read(yes), test: this.read(test), no: this.read(no), line };
      }
      case "LambdaExpression": {
        const colon = children.findIndex((child) => child.name === ":");
        const body = children[colon + 1];
        const parameters = children.find((child) => child.name === "ParamList");
        if (colon < 0 || body === undefined) break;
        return {
          kind: "lambda",
          parameters: parameters === undefined ? [] : this.parameters(parameters),
          body: this.read(body),
          line,
        };
      }
      case "NamedExpression": {
        const [name, , value] = children;
        if (name?.name !== "VariableName" || value === undefined) break;
        return { kind: "assigned", name: this.source.textOf(name), value: this.read(value), line };
      }
      case "CallExpression": {
        const [callee, list] = children;
        if (callee === undefined || list?.name !== "ArgList") break;
        return { kind: "call", callee: this.read(callee), arguments: this.arguments(list), line };
      }
      case "MemberExpression":
        return this.member(children, line);
      default:
        break;
    }
    return { kind: "unknown", what: readableName(node.name), line };
  }

  private member(children: readonly SyntaxNode[], line: number): Expression {
    const [of, sign, name] = children;
    if (of === undefined || sign === undefined || name === undefined)
      throw new NotUnderstood("a name that is missing", line);
    if (sign.name === ".")
      return { kind: "attribute", of: this.read(of), name: this.source.textOf(name), line };
    const parts = splitAt(children.slice(2, -1), ",");
    const indexes = parts.filter((part) => part.length > 0).map((part) => this.index(part, line));
    const [first] = indexes;
    if (first === undefined) throw new NotUnderstood("an index that is missing", line);
    const index: Expression = parts.length === 1 ? first : { kind: "tuple", items: indexes, line };
    return { kind: "item", of: this.read(of), index, line };
  }

  private index(nodes: readonly SyntaxNode[], line: number): Expression {
    const parts = splitAt(nodes, ":");
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return this.readList(only);
    return {
      kind: "slice",
      parts: parts.map((part) => (part.length === 0 ? undefined : this.readList(part))),
      line,
    };
  }

  /** Operands and operators of nested operations, in the order of the text. */
  private operands(node: SyntaxNode, depth: number): Token[] {
    if (depth > 4 * deepest)
      throw new NotUnderstood("an expression that is too long", this.source.lineOf(node));
    return this.source.childrenOf(node).flatMap((child): Token[] => {
      if (child.name === "BinaryExpression" || child.name === "UnaryExpression")
        return this.operands(child, depth + 1);
      if (/^(?:ArithOp|BitOp|CompareOp|and|or|not|in|is)$/.test(child.name))
        return [{ operator: this.source.textOf(child), line: this.source.lineOf(child) }];
      return [this.read(child)];
    });
  }

  private items(nodes: readonly SyntaxNode[]): Expression[] {
    return splitAt(nodes, ",")
      .filter((part) => part.length > 0)
      .map((part) => {
        const [first, second] = part;
        if (first === undefined || part.length > 2) throw new NotUnderstood("a list that is not one");
        if (first.name === "*" && second !== undefined)
          return { kind: "starred", value: this.read(second), line: this.source.lineOf(first) };
        if (second !== undefined) throw new NotUnderstood("a list that is not one");
        return this.read(first);
      });
  }

  private entries(nodes: readonly SyntaxNode[]): (readonly [Expression | undefined, Expression])[] {
    return splitAt(nodes, ",")
      .filter((part) => part.length > 0)
      .map((part) => {
        const [key, colon, value] = part;
        if (key?.name === "**" && colon !== undefined) return [undefined, this.read(colon)];
        if (key === undefined || colon?.name !== ":" || value === undefined)
          throw new NotUnderstood("a dictionary that is not one");
        return [this.read(key), this.read(value)];
      });
  }

  private comprehension(
    of: "list" | "set" | "dict" | "generator",
    nodes: readonly SyntaxNode[],
    line: number,
  ): Expression {
    const start = nodes.findIndex((node) => node.name === "for" || node.name === "async");
    const head = nodes.slice(0, start);
    const loops: { target: Expression; values: Expression; conditions: Expression[] }[] = [];
    for (let at = start; at < nodes.length; ) {
      const word = nodes[at]?.name;
      const next = nodes.findIndex(
        (node, index) => index > at && (node.name === "for" || node.name === "if" || node.name === "async"),
      );
      const end = next < 0 ? nodes.length : next;
      const part = nodes.slice(at + 1, end);
      if (word === "for") {
        const where = part.findIndex((node) => node.name === "in");
        if (where < 0) throw new NotUnderstood("a loop that is not one", line);
        loops.push({
          target: this.readList(part.slice(0, where)),
          values: this.readList(part.slice(where + 1)),
          conditions: [],
        });
      } else if (word === "if") loops.at(-1)?.conditions.push(this.readList(part));
      else throw new NotUnderstood("an asynchronous loop", line);
      at = end;
    }
    const done: readonly Loop[] = loops;
    if (done.length === 0) throw new NotUnderstood("a loop that is not one", line);
    if (of !== "dict")
      return { kind: "comprehension", of, key: undefined, item: this.readList(head), loops: done, line };
    const [key, colon, value] = head;
    if (key === undefined || colon?.name !== ":" || value === undefined)
      throw new NotUnderstood("a dictionary that is not one", line);
    return { kind: "comprehension", of, key: this.read(key), item: this.read(value), loops: done, line };
  }

  /** The arguments of an `ArgList`. */
  arguments(list: SyntaxNode): readonly Argument[] {
    const nodes = inside(this.source.childrenOf(list));
    if (nodes.some((node) => node.name === "for")) {
      const value = this.comprehension("generator", nodes, this.source.lineOf(list));
      return [{ name: undefined, spread: "", value }];
    }
    return splitAt(nodes, ",")
      .filter((part) => part.length > 0)
      .map((part) => {
        const [first, second, third] = part;
        if (first === undefined) throw new NotUnderstood("an argument that is missing");
        if ((first.name === "*" || first.name === "**") && second !== undefined)
          return { name: undefined, spread: first.name, value: this.read(second) };
        if (second?.name === "AssignOp" && third !== undefined)
          return { name: this.source.textOf(first), spread: "", value: this.read(third) };
        return { name: undefined, spread: "", value: this.readList(part) };
      });
  }

  /** The parameters of a `ParamList`. */
  parameters(list: SyntaxNode): readonly Parameter[] {
    const nodes = this.source.childrenOf(list).filter((node) => !/^(?:\(|\)|TypeDef)$/.test(node.name));
    let named = false;
    return splitAt(nodes, ",").flatMap((part): Parameter[] => {
      const [first, second, third] = part;
      if (first === undefined || first.name === "/") return [];
      if (first.name === "*" || first.name === "**") {
        named = true;
        if (second === undefined) return [];
        return [{ name: this.source.textOf(second), kind: first.name, named: true, fallback: undefined }];
      }
      if (first.name !== "VariableName") throw new NotUnderstood("a parameter that is not one");
      const fallback = second?.name === "AssignOp" && third !== undefined ? this.read(third) : undefined;
      return [{ name: this.source.textOf(first), kind: "", named, fallback }];
    });
  }

  private stringParts(node: SyntaxNode): readonly StringPart[] {
    const text = this.source.textOf(node);
    if (node.name === "String") return [stringLiteral(text)];
    if (node.name !== "FormatString") throw new NotUnderstood("a string of an unknown kind");
    const { prefix, from, to } = quotingOf(text);
    return this.formatParts(node, node.from + from, node.from + to, prefix.includes("r"));
  }

  /** Text and values of an f-string, or of a format in one, between two offsets. */
  private formatParts(node: SyntaxNode, from: number, to: number, raw: boolean): StringPart[] {
    const parts: StringPart[] = [];
    let at = from;
    const addText = (end: number) => {
      if (end <= at) return;
      const text = this.source.between(at, end).replaceAll("{{", "{").replaceAll("}}", "}");
      parts.push(raw ? text : unescaped(text));
    };
    for (const child of this.source.childrenOf(node)) {
      if (child.name !== "FormatReplacement") continue;
      addText(child.from);
      at = child.to;
      const inner = inside(this.source.childrenOf(child));
      const conversion = inner.find((one) => one.name === "FormatConversion");
      const format = inner.find((one) => one.name === "FormatSpec");
      const value = inner.filter((one) => one !== conversion && one !== format);
      if (value.some((one) => one.name === "FormatSelfDoc")) throw new NotUnderstood("`=` in an f-string");
      parts.push({
        value: this.readList(value),
        conversion: conversion === undefined ? "" : this.source.textOf(conversion).slice(1),
        format: format === undefined ? [] : this.formatParts(format, format.from + 1, format.to, raw),
      });
    }
    addText(to);
    return parts;
  }
}

/** Children without the brackets around them. */
function inside(nodes: readonly SyntaxNode[]): readonly SyntaxNode[] {
  return nodes.slice(1, -1);
}

/** Nodes between separators; after a last separator there is one more part, which may be empty. */
export function splitAt(nodes: readonly SyntaxNode[], separator: string): SyntaxNode[][] {
  const parts: SyntaxNode[][] = [[]];
  for (const node of nodes)
    if (node.name === separator) parts.push([]);
    else parts.at(-1)?.push(node);
  return parts;
}

/** `YieldExpression` → `yield expression`. */
export function readableName(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}
