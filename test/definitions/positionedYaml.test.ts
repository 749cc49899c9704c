import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parsePositionedYaml,
  placeInScalar,
  placeOfPath,
  plainValue,
  type YamlNode,
  type YamlScalar,
  yamlEntry,
} from "../../src/definitions/positionedYaml.ts";

function parse(text: string): YamlNode {
  const { root, problems } = parsePositionedYaml(text, "f.yaml", "CONFIG_INVALID");
  expect(problems.errors).toEqual([]);
  if (root === undefined) throw new Error("no root");
  return root;
}

function problemsOf(text: string): string[] {
  return parsePositionedYaml(text, "f.yaml", "CONFIG_INVALID").problems.errors.map(
    (error) => `${error.place.line}:${error.place.column} ${error.message}`,
  );
}

function scalar(node: YamlNode | undefined): YamlScalar {
  if (node?.kind !== "scalar") throw new Error("not a scalar");
  return node;
}

describe("parsePositionedYaml", () => {
  it("knows the place of every key and value", () => {
    const root = parse("a:\n  b: [1, two]\n  c: x\n");
    expect(placeOfPath(root, ["a", "b", 1], "value")).toMatchObject({ line: 2, column: 10 });
    expect(placeOfPath(root, ["a", "c"], "key")).toMatchObject({ line: 3, column: 3 });
    expect(placeOfPath(root, ["a", "nothing", "there"], "value")).toMatchObject({ line: 2, column: 3 });
    expect(plainValue(root)).toEqual({ a: { b: [1, "two"], c: "x" } });
  });

  it("counts characters inside plain and quoted scalars", () => {
    const root = parse(`a: zlib@1\nb: "zlib@1"\nc: 'zlib@1'\nd: |\n  zlib@1\n`);
    const column = (key: string) => placeInScalar(scalar(yamlEntry(root, key)?.value), 4).column;
    expect([column("a"), column("b"), column("c")]).toEqual([8, 9, 9]);
    expect(placeInScalar(scalar(yamlEntry(root, "d")?.value), 4)).toMatchObject({ line: 4, column: 4 });
  });

  it("keeps the text of numbers", () => {
    expect(scalar(yamlEntry(parse("v: 1.10"), "v")?.value)).toMatchObject({ value: 1.1, text: "1.10" });
  });

  it("reads Spack's keys with a colon at the end", () => {
    const root = parse("packages::\n  all: {}\n");
    expect(root.kind === "map" && root.entries[0]?.key).toBe("packages:");
  });

  it("refuses keys that are there twice, at the second", () => {
    expect(problemsOf("a: 1\nb: 2\na: 3\n")).toEqual(["3:1 the key `a` is there twice"]);
  });

  it("reports what is not YAML, once for each place", () => {
    expect(problemsOf("a: [1, 2\n")).toHaveLength(1);
    expect(problemsOf("a:\n\tb: 1\n")[0]).toMatch(/^2:1 tabs/);
    expect(problemsOf("a: 1\n---\nb: 2\n")[0]).toMatch(/second document/);
    expect(problemsOf("a: !!python/object:os.system x\n")[0]).toMatch(/tag/);
  });

  it("resolves aliases and merge keys", () => {
    const root = parse("x: &x {a: 1, b: 2}\ny: *x\nz:\n  <<: *x\n  b: 3\n");
    expect(plainValue(root)).toEqual({ x: { a: 1, b: 2 }, y: { a: 1, b: 2 }, z: { b: 3, a: 1 } });
  });

  it("bounds what aliases unfold to", () => {
    const levels = Array.from({ length: 12 }, (_, i) =>
      i === 0
        ? "a0: &a0 [x,x,x,x,x,x,x,x,x,x]"
        : `a${i}: &a${i} [${Array(10)
            .fill(`*a${i - 1}`)
            .join(",")}]`,
    );
    expect(problemsOf(levels.join("\n"))[0]).toMatch(/unfolds to more than/);
    expect(problemsOf("a: &a [*a]\n")[0]).toMatch(/contains itself|not defined/);
  });

  it("bounds size and depth", () => {
    expect(problemsOf("a".repeat(2 << 20))[0]).toMatch(/larger than/);
    expect(problemsOf(`${"[".repeat(80)}${"]".repeat(80)}`)[0]).toMatch(/nested too deeply/);
    // Without a bound these end the process, or take minutes.
    const steps = Array.from({ length: 1400 }, (_, at) => `${" ".repeat(at)}-`).join("\n");
    for (const deep of ["[", "- ", "? ", "{a: ", ": "].map((one) => one.repeat(200_000)).concat(steps))
      expect(problemsOf(deep)).toEqual([expect.stringMatching(/nested too deeply/)]);
  });

  it("has no prototype to pollute", () => {
    const value = plainValue(parse("__proto__: {polluted: true}\n")) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("never throws and keeps places inside the text", () => {
    const alphabet = fc.constantFrom(
      "a",
      "b",
      ":",
      " ",
      "\n",
      "-",
      "[",
      "]",
      "{",
      "}",
      "'",
      '"',
      "&",
      "*",
      "#",
      "|",
      "\t",
      ",",
      "<<",
      "~",
      "?",
      "!",
    );
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 60 }), (parts) => {
        const text = parts.join("");
        const lines = text.split("\n").length;
        for (const { place } of parsePositionedYaml(text, "f", "CONFIG_INVALID").problems.errors)
          if (place.line !== undefined) expect(place.line).toBeLessThanOrEqual(lines + 1);
      }),
      { numRuns: 500 },
    );
  });
});
