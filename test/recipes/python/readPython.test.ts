import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NotUnderstood } from "../../../src/python/problem.ts";
import { readPython } from "../../../src/recipes/python/readPython.ts";
import { longestRecipe } from "../../../src/recipes/python/syntaxTree.ts";
import type { Expression, Statement } from "../../../src/recipes/python/tree.ts";

/** An expression as text with every operation in brackets. */
function bracketed(value: Expression): string {
  switch (value.kind) {
    case "name":
      return value.name;
    case "constant":
      return JSON.stringify(value.value);
    case "unary":
      return `(${value.operator} ${bracketed(value.value)})`;
    case "binary":
      return `(${bracketed(value.left)} ${value.operator} ${bracketed(value.right)})`;
    case "comparison":
      return `(${[bracketed(value.left), ...value.rest.flatMap(([operator, one]) => [operator, bracketed(one)])].join(" ")})`;
    case "and":
    case "or":
      return `(${value.parts.map(bracketed).join(` ${value.kind} `)})`;
    case "if":
      return `(${bracketed(value.yes)} if ${bracketed(value.test)} else ${bracketed(value.no)})`;
    default:
      return value.kind;
  }
}

function assigned(text: string): Expression {
  const [statement] = readPython(`x = ${text}`);
  if (statement?.kind !== "assign") throw new Error(`${text} is not assigned`);
  return statement.value;
}

const kinds = (statements: readonly Statement[]) => statements.map(({ kind }) => kind);

describe("operators bind as in Python", () => {
  test.each([
    ["a and not b or c", "((a and (not b)) or c)"],
    ["not a == b", "(not (a == b))"],
    ["not a in b and c", "((not (a in b)) and c)"],
    ["a not in b is not c", "(a not in b is not c)"],
    ["-a ** b // c", "((- (a ** b)) // c)"],
    ["a ** -b", "(a ** (- b))"],
    ["a - b - c * d", "((a - b) - (c * d))"],
    ["1 < a <= 3", "(1 < a <= 3)"],
    ["a | b & c ^ d << e", "(a | ((b & c) ^ (d << e)))"],
    ["a or b if c and not d else e", "((a or b) if (c and (not d)) else e)"],
    ["(a or b) and c", "((a or b) and c)"],
  ])("%s", (text, expected) => {
    expect(bracketed(assigned(text))).toBe(expected);
  });
});

describe("values", () => {
  test.each([
    [`"a\\tb\\x41\\u00e9\\101\\q"`, "a\tbAéA\\q"],
    [`r"a\\tb"`, "a\\tb"],
    [`'''a"b'''`, 'a"b'],
    ["0x1f", 31],
    ["1_000", 1000],
    ["None", null],
    ["True", true],
  ])("%s", (text, expected) => {
    const value = assigned(text);
    expect(value.kind === "constant" ? value.value : value).toBe(expected);
  });

  test("strings in a row and values in strings", () => {
    expect(assigned(`"a" f"{b!r:>{w}} {{c}}" 'd'`)).toMatchObject({
      kind: "text",
      parts: [
        "a",
        { value: { kind: "name", name: "b" }, conversion: "r", format: [">", { value: { name: "w" } }] },
        " {c}",
        "d",
      ],
    });
  });

  test("calls with every kind of argument", () => {
    expect(assigned("f(a, *b, c=d, **e)")).toMatchObject({
      kind: "call",
      arguments: [
        { name: undefined, spread: "" },
        { spread: "*" },
        { name: "c", spread: "" },
        { spread: "**" },
      ],
    });
  });
});

describe("statements", () => {
  test("what is not Python is one unknown statement; the rest is read", () => {
    const statements = readPython("a = 1\nb = = 2\nclass C(D):\n    x = 3\n");
    expect(kinds(statements)).toEqual(["assign", "unknown", "class"]);
    expect(statements[1]).toMatchObject({ line: 2 });
  });

  test("directives that do not matter are left out of files and classes, not of functions", () => {
    const [first] = readPython(
      'class C:\n    version("1")\n    extends("python")\n    def f(self):\n        version("2")\n',
    );
    if (first?.kind !== "class") throw new Error("no class");
    expect(kinds(first.body)).toEqual(["expression", "function"]);
    const method = first.body[1];
    if (method?.kind !== "function") throw new Error("no function");
    expect(kinds(method.function.body())).toEqual(["expression"]);
  });

  test("lines are counted from 1", () => {
    expect(readPython("\n\n# text\nx = (\n  1,\n  y,\n)\n")[0]).toMatchObject({ line: 4 });
  });
});

describe("bounds", () => {
  test("a file that is too long is refused", () => {
    expect(() => readPython("#".repeat(longestRecipe + 1))).toThrow(NotUnderstood);
  });

  test.each([
    ["brackets", `x = ${"(".repeat(90)}${")".repeat(90)}`],
    ["open brackets", `x = ${"[".repeat(90)}`],
    ["signs", `x = ${"-".repeat(20_000)}1`],
    [
      "blocks",
      Array.from({ length: 500 }, (_, depth) => `${" ".repeat(depth)}if a:`)
        .join("\n")
        .slice(0, 60_000),
    ],
    ["attributes", `x = a${".b".repeat(20_000)}`],
    ["sums", `x = 1${" + 1".repeat(20_000)}`],
    ["elifs", `if a:\n  b\n${"elif a:\n  b\n".repeat(3000)}`],
  ])("nested %s are read or refused, never a crash", (_, text) => {
    try {
      expect(readPython(text).length).toBeGreaterThan(0);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(NotUnderstood);
    }
  });

  test.each([
    ["brackets", "(".repeat(2000)],
    ["errors", "if :".repeat(20_000)],
    ["errors in a short file", "if :".repeat(3_000)],
  ])("too many %s are refused", (_, text) => {
    expect(() => readPython(text)).toThrow(NotUnderstood);
  });

  test("no text makes it crash", () => {
    const words = fc.constantFrom(
      ...'def class if else elif for in while try except with as return not and or is lambda ( ) [ ] { } : , . = == * ** + - @ \n x y self env "a" \'b\' f"{x}" 1 import from'.split(
        " ",
      ),
      "\n    ",
      "\n        ",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(words, { maxLength: 60 }).map((parts) => parts.join(" ")),
          fc.string(),
        ),
        (text) => {
          try {
            readAll(readPython(text));
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(NotUnderstood);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Reads bodies of functions, too, which are read when they are needed. */
function readAll(statements: readonly Statement[]): void {
  for (const statement of statements) {
    if (statement.kind === "function") readAll(statement.function.body());
    if (statement.kind === "class") readAll(statement.body);
  }
}
