/** Reads Python files: the text of a recipe in, its statements out. Nothing is executed. */
import type { SyntaxNode } from "@lezer/common";
import type { BinaryOperator } from "../../python/operators.ts";
import { NotUnderstood } from "../../python/problem.ts";
import { ExpressionReader, readableName, splitAt } from "./readExpression.ts";
import { SourceText } from "./sourceText.ts";
import { longestRecipe, syntaxTree } from "./syntaxTree.ts";
import type { Expression, FunctionTree, Handler, ImportedName, Statement } from "./tree.ts";

/** Deepest nesting of statements. */
const deepest = 50;

/**
 * The statements of a file. What is not Python is an `unknown` statement where it stands. Of calls at the top of a file or
 * class only those are kept that may matter: `extends(…)` and methods of values.
 *
 * @throws NotUnderstood for a file that is too long or too contorted
 */
export function readPython(text: string): readonly Statement[] {
  if (text.length > longestRecipe) throw new NotUnderstood("a file that is too long");
  const unix = text.replaceAll("\r\n", "\n");
  return new StatementReader(unix).block(syntaxTree(unix).topNode, { declarations: true, depth: 0 });
}

const directives: ReadonlySet<string> = new Set(["extends", "build_system"]);

/** Where statements stand. */
interface Surroundings {
  /** At the top of a file or class. */
  readonly declarations: boolean;
  readonly depth: number;
}

class StatementReader {
  private readonly source: SourceText;
  private readonly expressions: ExpressionReader;

  constructor(text: string) {
    this.source = new SourceText(text);
    this.expressions = new ExpressionReader(this.source);
  }

  /** The statements of a node: the file, or a `Body`. */
  block(node: SyntaxNode, around: Surroundings): readonly Statement[] {
    const statements: Statement[] = [];
    for (let child = node.firstChild; child !== null; child = child.nextSibling) {
      if (child.name === "Comment" || child.name === ":" || child.name === ";") continue;
      if (child.name === "StatementGroup") {
        statements.push(...this.block(child, around));
        continue;
      }
      if (around.declarations && child.name === "ExpressionStatement" && !this.matters(child)) continue;
      statements.push(this.statement(child, around));
    }
    return statements;
  }

  private matters(node: SyntaxNode): boolean {
    const call = node.firstChild;
    const callee = call?.name === "CallExpression" ? call.firstChild : null;
    if (callee === null) return false;
    return callee.name === "MemberExpression" || directives.has(this.source.textOf(callee));
  }

  private statement(node: SyntaxNode, around: Surroundings): Statement {
    const line = this.source.lineOf(node);
    if (around.depth > deepest)
      return { kind: "unknown", what: "statements that are nested too deeply", line };
    try {
      return { ...this.read(node, { ...around, depth: around.depth + 1 }), line };
    } catch (thrown) {
      if (!(thrown instanceof NotUnderstood)) throw thrown;
      return { kind: "unknown", what: thrown.message, line: thrown.place.line || line };
    }
  }

  private read(node: SyntaxNode, around: Surroundings): Statement {
    const line = this.source.lineOf(node);
    const children = this.source.childrenOf(node);
    const [first, second] = children;
    const { expressions } = this;
    const bodyAfter = (word: string): readonly Statement[] => {
      const at = children.findIndex((child) => child.name === word);
      const body = children.slice(at + 1).find((child) => child.name === "Body");
      return at < 0 || body === undefined ? [] : this.block(body, around);
    };
    switch (node.name) {
      case "ExpressionStatement":
        return { kind: "expression", value: expressions.readList(children), line };
      case "AssignStatement": {
        const parts = splitAt(
          children.filter((child) => child.name !== "TypeDef"),
          "AssignOp",
        );
        const values = parts.map((part) => expressions.readList(part));
        const value = values.pop();
        if (value === undefined || values.length === 0) return { kind: "pass", line };
        return { kind: "assign", targets: values, value, line };
      }
      case "UpdateStatement": {
        if (first === undefined || second?.name !== "UpdateOp") break;
        return {
          kind: "update",
          target: expressions.read(first),
          operator: this.source.textOf(second).slice(0, -1) as BinaryOperator,
          value: expressions.readList(children.slice(2)),
          line,
        };
      }
      case "ReturnStatement":
        return {
          kind: "return",
          value: children.length > 1 ? expressions.readList(children.slice(1)) : undefined,
          line,
        };
      case "RaiseStatement":
        return { kind: "raise", value: second === undefined ? undefined : expressions.read(second), line };
      case "AssertStatement":
        if (second === undefined) break;
        return { kind: "assert", test: expressions.read(second), line };
      case "PassStatement":
        return { kind: "pass", line };
      case "BreakStatement":
        return { kind: "break", line };
      case "ContinueStatement":
        return { kind: "continue", line };
      case "DeleteStatement": {
        const deleted = expressions.readList(children.slice(1));
        return { kind: "delete", targets: deleted.kind === "tuple" ? deleted.items : [deleted], line };
      }
      case "ScopeStatement":
        return {
          kind: "global",
          names: children
            .filter((child) => child.name === "VariableName")
            .map((child) => this.source.textOf(child)),
          line,
        };
      case "ImportStatement":
        return this.imported(children, line);
      case "IfStatement":
        return this.condition(children, around, line);
      case "WhileStatement":
        if (second === undefined) break;
        return {
          kind: "while",
          test: expressions.read(second),
          body: bodyAfter("while"),
          otherwise: bodyAfter("else"),
          line,
        };
      case "ForStatement": {
        const where = children.findIndex((child) => child.name === "in");
        const body = children.findIndex((child) => child.name === "Body");
        if (first?.name !== "for" || where < 0 || body < 0) break;
        return {
          kind: "for",
          target: expressions.readList(children.slice(1, where)),
          values: expressions.readList(children.slice(where + 1, body)),
          body: bodyAfter("for"),
          otherwise: bodyAfter("else"),
          line,
        };
      }
      case "TryStatement":
        return {
          kind: "try",
          body: bodyAfter("try"),
          handlers: this.handlers(children, around),
          otherwise: bodyAfter("else"),
          finally: bodyAfter("finally"),
          line,
        };
      case "WithStatement":
        return this.within(children, around, line);
      case "FunctionDefinition":
        return { kind: "function", function: this.functionOf(children, [], line), line };
      case "ClassDefinition":
        return this.classOf(children, { decorated: false, depth: around.depth, line });
      case "DecoratedStatement":
        return this.decorated(children, around.depth, line);
      case "TypeDefinition":
        return { kind: "pass", line };
      default:
        if (node.type.isError) return { kind: "unknown", what: "a syntax error", line };
        break;
    }
    return { kind: "unknown", what: readableName(node.name), line };
  }

  private condition(children: readonly SyntaxNode[], around: Surroundings, line: number): Statement {
    const branches: (readonly [Expression, readonly Statement[]])[] = [];
    let otherwise: readonly Statement[] = [];
    for (let at = 0; at < children.length; ) {
      const word = children[at]?.name;
      const end = children.findIndex((child, index) => index > at && child.name === "Body");
      const body = children[end];
      if (body === undefined) throw new NotUnderstood("a condition that is not one", line);
      const statements = this.block(body, around);
      if (word === "else") otherwise = statements;
      else branches.push([this.expressions.readList(children.slice(at + 1, end)), statements]);
      at = end + 1;
    }
    return { kind: "if", branches, otherwise, line };
  }

  private handlers(children: readonly SyntaxNode[], around: Surroundings): readonly Handler[] {
    const handlers: Handler[] = [];
    for (const [at, child] of children.entries()) {
      if (child.name !== "except") continue;
      const end = children.findIndex((one, index) => index > at && one.name === "Body");
      const body = children[end];
      const line = this.source.lineOf(child);
      if (body === undefined) throw new NotUnderstood("a handler that is not one", line);
      const head = children.slice(at + 1, end);
      const as = head.findIndex((one) => one.name === "as");
      const types = as < 0 ? head : head.slice(0, as);
      const name = as < 0 ? undefined : head[as + 1];
      handlers.push({
        line,
        types: types.length === 0 ? undefined : this.expressions.readList(types),
        name: name === undefined ? undefined : this.source.textOf(name),
        body: this.block(body, around),
      });
    }
    return handlers;
  }

  private within(children: readonly SyntaxNode[], around: Surroundings, line: number): Statement {
    const end = children.findIndex((child) => child.name === "Body");
    const body = children[end];
    if (children[0]?.name !== "with" || body === undefined)
      throw new NotUnderstood("a `with` that is not understood", line);
    const items = splitAt(children.slice(1, end), ",").map((part) => {
      const as = part.findIndex((one) => one.name === "as");
      const value = this.expressions.readList(as < 0 ? part : part.slice(0, as));
      return [value, as < 0 ? undefined : this.expressions.readList(part.slice(as + 1))] as const;
    });
    return { kind: "with", items, body: this.block(body, around), line };
  }

  private decorated(children: readonly SyntaxNode[], depth: number, line: number): Statement {
    const decorators = children
      .filter((child) => child.name === "Decorator")
      .map((child) => this.decorator(child));
    const definition = children.at(-1);
    if (definition?.name === "FunctionDefinition")
      return {
        kind: "function",
        function: this.functionOf(
          this.source.childrenOf(definition),
          decorators,
          this.source.lineOf(definition),
        ),
        line,
      };
    if (definition?.name === "ClassDefinition")
      return this.classOf(this.source.childrenOf(definition), { decorated: true, depth, line });
    throw new NotUnderstood("a decorator that is not understood", line);
  }

  private decorator(node: SyntaxNode): Expression {
    const line = this.source.lineOf(node);
    let value: Expression | undefined;
    for (const child of this.source.childrenOf(node).slice(1)) {
      if (child.name === ".") continue;
      if (child.name === "ArgList" && value !== undefined)
        value = { kind: "call", callee: value, arguments: this.expressions.arguments(child), line };
      else if (value === undefined) value = this.expressions.read(child);
      else value = { kind: "attribute", of: value, name: this.source.textOf(child), line };
    }
    if (value === undefined) throw new NotUnderstood("a decorator that is not understood", line);
    return value;
  }

  private functionOf(
    children: readonly SyntaxNode[],
    decorators: readonly Expression[],
    line: number,
  ): FunctionTree {
    const name = children.find((child) => child.name === "VariableName");
    const list = children.find((child) => child.name === "ParamList");
    const body = children.find((child) => child.name === "Body");
    if (children[0]?.name !== "def" || name === undefined || list === undefined || body === undefined)
      throw new NotUnderstood("a function that is not understood", line);
    let statements: readonly Statement[] | undefined;
    return {
      name: this.source.textOf(name),
      line,
      parameters: this.expressions.parameters(list),
      decorators,
      body: () => {
        statements ??= this.block(body, { declarations: false, depth: 0 });
        return statements;
      },
    };
  }

  private classOf(
    children: readonly SyntaxNode[],
    {
      decorated,
      depth,
      line,
    }: { readonly decorated: boolean; readonly depth: number; readonly line: number },
  ): Statement {
    const name = children.find((child) => child.name === "VariableName");
    const list = children.find((child) => child.name === "ArgList");
    const body = children.find((child) => child.name === "Body");
    if (name === undefined || body === undefined)
      throw new NotUnderstood("a class that is not understood", line);
    const bases = list === undefined ? [] : this.expressions.arguments(list);
    return {
      kind: "class",
      name: this.source.textOf(name),
      bases: bases.filter((one) => one.name === undefined).map((one) => one.value),
      decorated,
      body: this.block(body, { declarations: true, depth }),
      line,
    };
  }

  private imported(children: readonly SyntaxNode[], line: number): Statement {
    const words = children
      .map((child) => this.source.textOf(child))
      .filter((word) => word !== "(" && word !== ")");
    const from = words[0] === "from";
    const start = words.indexOf("import");
    const module = from ? words.slice(1, start).join("") : "";
    const names: ImportedName[] = [];
    for (const part of splitWords(words.slice(start + 1), ",")) {
      if (part.length === 0) continue;
      if (from && part[0] === "*") return { kind: "import", names: [], all: module, line };
      const as = part.indexOf("as");
      const name = (as < 0 ? part : part.slice(0, as)).join("");
      const local = as < 0 ? undefined : part[as + 1];
      if (from) names.push({ module, name, local: local ?? name });
      else {
        const [top = name] = name.split(".");
        names.push({ module: local === undefined ? top : name, name: undefined, local: local ?? top });
      }
    }
    return { kind: "import", names, all: undefined, line };
  }
}

function splitWords(words: readonly string[], separator: string): string[][] {
  const parts: string[][] = [[]];
  for (const word of words)
    if (word === separator) parts.push([]);
    else parts.at(-1)?.push(word);
  return parts;
}
