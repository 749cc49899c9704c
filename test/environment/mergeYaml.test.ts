import { describe, expect, it } from "vitest";
import { parsePositionedYaml, plainValue, type YamlMap } from "../../src/definitions/positionedYaml.ts";
import { mergeYaml } from "../../src/environment/mergeYaml.ts";

function map(text: string): YamlMap {
  const { root } = parsePositionedYaml(text, "f", "MANIFEST_INVALID");
  if (root?.kind !== "map") throw new Error("not a mapping");
  return root;
}

const merged = (higher: string, lower: string) => plainValue(mergeYaml(map(higher), map(lower)));

describe("mergeYaml", () => {
  it("merges mappings, puts the higher scope's list items first, and lets its scalars win", () => {
    expect(merged("{a: {x: 1, l: [1]}, s: high}", "{a: {y: 2, l: [2]}, s: low, t: low}")).toEqual({
      a: { x: 1, l: [1, 2], y: 2 },
      s: "high",
      t: "low",
    });
  });

  it("replaces for `key::`, appends for `key-:`", () => {
    expect(merged("a::\n  x: 1\n", "a: {y: 2}\n")).toEqual({ "a:": { x: 1 } });
    expect(merged("a-:\n- 1\n", "a: [2]\n")).toEqual({ "a-": [2, 1] });
  });

  it("takes nothing for nothing", () => {
    expect(merged("a:\n", "a: {y: 2}\n")).toEqual({ a: { y: 2 } });
  });
});
