import { describe, expect, it } from "vitest";
import { compatibleTargets, familyOf, genericOf, isAtLeast } from "../../src/spec/microarchitecture.ts";
import { targetIntersection } from "../../src/spec/targets.ts";

describe("microarchitectures", () => {
  it("are ordered by what they can run", () => {
    expect(isAtLeast("haswell", "x86_64_v3")).toBe(true);
    expect(isAtLeast("x86_64_v3", "haswell")).toBe(false);
    expect(isAtLeast("zen2", "x86_64")).toBe(true);
    expect(isAtLeast("zen2", "haswell")).toBe(false);
    expect(isAtLeast("unheard", "unheard")).toBe(true);
    expect(isAtLeast("unheard", "x86_64")).toBe(false);
  });

  it("have a family and a generic ancestor", () => {
    expect(familyOf("icelake")).toBe("x86_64");
    expect(familyOf("neoverse_v1")).toBe("aarch64");
    expect(genericOf("icelake")).toBe("x86_64_v4");
    expect(genericOf("zen2")).toBe("x86_64_v3");
    expect(genericOf("x86_64_v2")).toBe("x86_64_v2");
    expect(familyOf("unheard")).toBe("unheard");
    expect(compatibleTargets("x86_64_v3")).toEqual(["x86_64_v3", "x86_64_v2", "x86_64"]);
  });
});

it.each([
  ["haswell", "x86_64_v3:", ["haswell"]],
  ["x86_64_v3", "haswell:", []],
  ["x86_64_v3:", ":haswell", ["x86_64_v3:haswell"]],
  [":zen2", ":haswell", []],
  ["aarch64:", ":icelake", []],
  ["x86_64,zen2", "x86_64_v3:,x86_64", ["x86_64", "zen2"]],
])("%s and %s have %j in common", (a, b, common) => {
  expect(targetIntersection(a, b, "1.x")).toEqual(common);
});
