import { describe, expect, it } from "vitest";
import { withBuildSpecRoots } from "../../src/spack/buildSpecRoots.ts";
import { graphOf, hashOf } from "../spec/graph.ts";

const original = { name: "app", hash: hashOf("original") };
const specs = [...graphOf([{ name: "plain" }, { name: "app" }, { name: "other" }]).values()].map((spec) =>
  spec.name === "plain" ? spec : { ...spec, buildSpec: original },
);
const lock = { roots: [{ hash: hashOf("app"), spec: "app@1" }], concrete_specs: { kept: {} } };
const text = JSON.stringify(lock, undefined, 1);

describe("withBuildSpecRoots", () => {
  it("makes what spliced packages are made of roots, each once", () => {
    expect(JSON.parse(withBuildSpecRoots(text, specs))).toEqual({
      ...lock,
      roots: [...lock.roots, { hash: hashOf("original"), spec: `app /${hashOf("original")}` }],
    });
  });

  it("leaves a lock alone, to the byte, without spliced packages, and adds no root twice", () => {
    const plain = specs.filter(({ name }) => name === "plain");
    expect(withBuildSpecRoots(text, plain)).toBe(text);
    const twice = withBuildSpecRoots(withBuildSpecRoots(text, specs), specs);
    expect(JSON.parse(twice).roots).toHaveLength(2);
  });
});
