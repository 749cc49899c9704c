import { describe, expect, it } from "vitest";
import type { FragmentKey } from "../../../src/image/fragmentStore.ts";
import type { PlannedFragment } from "../../../src/pipeline/plan/makeFragments.ts";
import { layerKey, planPackageLayers } from "../../../src/pipeline/plan/packageLayers.ts";
import { makeSpec } from "../../view/makeSpec.ts";

function fragment(name: string): PlannedFragment {
  return { key: `${name}-key` as FragmentKey, spec: makeSpec(name) } as PlannedFragment;
}

const names = ["a", "b", "c", "d", "e"];
const fragments = names.map(fragment);

describe("planPackageLayers", () => {
  it("gives each package a layer where there is room, under the key of its fragment", () => {
    const layers = planPackageLayers(fragments, () => 10, { alone: 10, shared: 5 });
    expect(layers.map(({ key }) => key)).toEqual(fragments.map(({ key }) => key));
  });

  it("joins packages where there is none, and leaves none out", () => {
    const layers = planPackageLayers(fragments, ({ spec }) => (spec.name === "c" ? 1e9 : 10), {
      alone: 1,
      shared: 1,
    });
    expect(layers.length).toBeLessThanOrEqual(2);
    const inside = layers.flatMap(({ members }) => members.map(({ spec }) => spec.name));
    expect([...inside].sort()).toEqual(names);
    for (const { key, members } of layers) expect(key).toBe(layerKey(members.map((one) => one.key)));
  });
});

it("layerKey depends on the fragments and their order", () => {
  expect(layerKey(["one"])).toBe("one");
  expect(layerKey(["one", "two"])).toBe(layerKey(["one", "two"]));
  expect(layerKey(["one", "two"])).not.toBe(layerKey(["two", "one"]));
});
