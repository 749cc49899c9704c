import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseControl } from "../../src/base/debian/control.ts";
import { formatRelation, type PackageRelation, parseRelations } from "../../src/base/debian/relations.ts";

describe("parseControl", () => {
  test("reads paragraphs, continued lines and comments", () => {
    const text = "# comment\nA: 1\nB:\n two\n\tthree\n\n\n \nC: x: y\nc: again\nnonsense\n more of nothing\n";
    const paragraphs = parseControl(text).map((paragraph) => Object.fromEntries(paragraph));
    expect(paragraphs).toEqual([{ a: "1", b: "\ntwo\nthree" }, { c: "x: y" }]);
  });

  test("takes any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", ":", " ", "\n", "#", "\t") }), (text) => {
        for (const paragraph of parseControl(text)) expect(paragraph.size).toBeGreaterThan(0);
      }),
    );
  });

  test("does not mistake a field for a property of objects", () => {
    expect(parseControl("__proto__: x\nconstructor: y")[0]?.get("constructor")).toBe("y");
  });
});

describe("parseRelations", () => {
  test("reads alternatives, versions, qualifiers and old operators", () => {
    expect(parseRelations("libc6 (>= 2.34), python3:any | perl:native,a(<2) ,, ")).toEqual([
      [{ name: "libc6", version: { operator: ">=", version: "2.34" } }],
      [
        { name: "python3", qualifier: "any" },
        { name: "perl", qualifier: "native" },
      ],
      [{ name: "a", version: { operator: "<=", version: "2" } }],
    ]);
    expect(parseRelations("")).toEqual([]);
  });

  test.each(["a b", "a (2)", "a (>= )", "a (>= 1", "a (>= 1) x", "a | ", "-a", "a (=> 1)", "a (toString 1)"])(
    "refuses %j",
    (text) => expect(parseRelations(text)).toBeUndefined(),
  );

  test("reads what it writes", () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9+.-]{0,8}$/);
    const relation: fc.Arbitrary<PackageRelation> = fc.record(
      {
        name,
        qualifier: fc.constantFrom("any", "native", "arm64"),
        version: fc.record({
          operator: fc.constantFrom("<<", "<=", "=", ">=", ">>"),
          version: fc.stringMatching(/^[0-9][a-z0-9.+~:-]{0,8}$/),
        }),
      },
      { requiredKeys: ["name"] },
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(relation, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
        (groups) => {
          const text = groups.map((group) => group.map(formatRelation).join(" | ")).join(", ");
          expect(parseRelations(text)).toEqual(groups);
        },
      ),
    );
  });
});
