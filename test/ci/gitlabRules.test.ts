import { describe, expect, it } from "vitest";
import { ruleHolds } from "../../src/ci/gitlabRules.ts";

describe("ruleHolds", () => {
  const variables = { A: "x", EMPTY: "", LABELS: "one,build,two" };
  it("compares variables, texts and patterns", () => {
    for (const [condition, value] of [
      ["$A", true],
      ["$EMPTY", false],
      ["$NONE", false],
      ["$NONE == null", true],
      ['$A == "x"', true],
      ["$A != 'x'", false],
      ["$LABELS =~ /(^|,)build(,|$)/", true],
      ["$LABELS !~ /BUILD/", true],
      ["$LABELS =~ /BUILD/i", true],
      ['$A == "y" || $A == "x" && $EMPTY == ""', true],
      ['($A == "x" || $A) && $NONE', false],
    ] as const)
      expect(ruleHolds(condition, variables), condition).toBe(value);
  });
  it("refuses what is no condition", () => {
    for (const condition of ["", "$A ==", '$A = "x"', "($A", "$A $A", '"a" =~ "b"', "/a/", "$A =~ /(/"])
      expect(() => ruleHolds(condition, variables), condition).toThrow(
        expect.objectContaining({ code: "DEFINITION_INVALID" }),
      );
  });
});
