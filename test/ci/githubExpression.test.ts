import { describe, expect, it } from "vitest";
import {
  type ExpressionContext,
  evaluateExpression,
  githubConditionHolds,
  interpolate,
} from "../../src/ci/githubExpression.ts";

const context = (
  values: ExpressionContext["values"] = {},
  status: Partial<ExpressionContext["status"]> = {},
): ExpressionContext => ({ values, status: { success: true, failure: false, cancelled: false, ...status } });
const value = (text: string, values: ExpressionContext["values"] = {}) =>
  evaluateExpression(text, context(values));

describe("evaluateExpression", () => {
  it("has the values, operators and functions of GitHub's expressions", () => {
    expect(value("'it''s'")).toBe("it's");
    expect(value("1 < 2 && 'a' || 'b'")).toBe("a");
    expect(value("'' || null || 'c'")).toBe("c");
    expect(value("!('A' == 'a')")).toBe(false);
    expect(value("null == 0 && '' == 0 && true == 1")).toBe(true);
    expect(value("contains(fromJSON('[\"x\",\"y\"]'), 'Y')")).toBe(true);
    expect(value("format('{1}-{0}', 'a', 'b')")).toBe("b-a");
    expect(value("join(fromJSON('[1,2]'), '+')")).toBe("1+2");
  });

  it("looks into contexts, of all items too, and finds nothing where there is nothing", () => {
    const values = { github: { event: { labels: [{ name: "build" }, { name: "x" }], n: { k: [7] } } } };
    expect(value("github.event.labels.*.name", values)).toEqual(["build", "x"]);
    expect(value("contains(github.event.labels.*.name, 'build')", values)).toBe(true);
    expect(value("contains(github.event.pull_request.labels.*.name, 'build')", values)).toBe(false);
    expect(value("github.event['n'].K[0]", values)).toBe(7);
    expect(value("github.nothing.at.all", values)).toBeNull();
    expect(
      value("needs.plan-amd64.outputs.packages-1", {
        needs: { "plan-amd64": { outputs: { "packages-1": "[]" } } },
      }),
    ).toBe("[]");
  });

  it("refuses what is no expression", () => {
    for (const text of ["", "a ||", "(a", "a b", "a.", "a ; b", "fromJSON('{')", "'open"])
      expect(() => value(text), text).toThrow(expect.objectContaining({ code: "DEFINITION_INVALID" }));
    expect(() => value("sha512('x')")).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
    expect(() => value("(".repeat(5000))).toThrow(expect.objectContaining({ code: "DEFINITION_INVALID" }));
  });
});

describe("interpolate", () => {
  it("keeps the value of a text that is one expression, and writes others as texts", () => {
    expect(interpolate("${{ fromJSON('[1]') }}", context())).toEqual([1]);
    expect(interpolate("a ${{ 1 }} ${{ 'b' }}", context())).toBe("a 1 b");
  });
});

describe("conditionHolds", () => {
  it("runs nothing after a failure unless the condition asks for the status", () => {
    const failed = context({}, { success: false, failure: true });
    expect(githubConditionHolds(undefined, failed)).toBe(false);
    expect(githubConditionHolds("true", failed)).toBe(false);
    expect(githubConditionHolds("${{ !cancelled() && true }}", failed)).toBe(true);
    expect(githubConditionHolds("failure()", failed)).toBe(true);
    expect(githubConditionHolds("always()", context())).toBe(true);
    expect(githubConditionHolds("failure()", context())).toBe(false);
  });
});
