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

  it("replaces for `key::`, not where the colon is that of a version", () => {
    expect(merged("a::\n  x: 1\n", "a: {y: 2}\n")).toEqual({ "a:": { x: 1 } });
    expect(merged("'z@1:':\n  x: 1\n", "'z@1:': {y: 2}\n")).toEqual({ "z@1:": { x: 1, y: 2 } });
  });

  it("keeps what replaces when lower scopes are merged first", () => {
    const [high, middle, low] = ["{b: 1}", "'a:': {x: 1}", "{a: {y: 2}, c: 3}"].map(map);
    if (high === undefined || middle === undefined || low === undefined) throw new Error();
    expect(plainValue(mergeYaml(high, mergeYaml(middle, low)))).toEqual({ b: 1, "a:": { x: 1 }, c: 3 });
  });

  it("takes what is in two lists once, from the higher scope", () => {
    expect(merged("l: [a, {p: 1, q: [2]}]", "l: [b, {q: [2], p: 1}, a, 1.0]")).toEqual({
      l: ["a", { p: 1, q: [2] }, "b", 1],
    });
    expect(merged("l: ['1']", "l: [1]")).toEqual({ l: ["1", 1] });
  });

  it("lets nothing at all win over something", () => {
    expect(merged("a:\n", "a: {y: 2}\n")).toEqual({ a: null });
  });
});
