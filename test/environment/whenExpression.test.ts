import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateWhen } from "../../src/environment/whenExpression.ts";

const context = { platform: "linux", os: "debian12", target: "x86_64_v3" };

describe("evaluateWhen", () => {
  it.each([
    ["True", true],
    ["platform == 'linux'", true],
    ['os != "debian12"', false],
    ["'x86_64' in target and not platform == 'darwin'", true],
    ["'zen' not in target", true],
    ["False or (True and arch_str == 'linux-debian12-x86_64_v3')", true],
    ["not not False", false],
    ["True or False and False", true],
  ])("%s is %s", (text, value) => expect(evaluateWhen(text, context)).toEqual({ value }));

  it.each([
    ["hostname == 'x'", 0],
    ["platform == 'linux' and re.match('a', 'b')", 26],
    ["platform", 8],
    ["(True", 5],
    ["platform == ", 12],
    ["True True", 5],
    ["import os", 0],
  ])("%s is refused", (text, offset) =>
    expect(evaluateWhen(text, context)).toEqual({ problem: expect.any(String), offset }),
  );

  it("bounds nesting, not the number of comparisons", () => {
    const many = Array.from({ length: 90 }, () => "os=='x'").join(" or ");
    expect(evaluateWhen(many, context)).toEqual({ value: false });
    expect(evaluateWhen(`${"(".repeat(60)}True${")".repeat(60)}`, context)).toHaveProperty("problem");
  });

  it("refuses names that have no value", () => {
    expect(evaluateWhen("os == 'x'", { ...context, os: undefined })).toHaveProperty("problem");
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(evaluateWhen(text, context)).toBeTypeOf("object");
      }),
    );
    expect(evaluateWhen("(".repeat(900), context)).toHaveProperty("problem");
  });
});
