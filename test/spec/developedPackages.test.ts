import { describe, expect, it } from "vitest";
import { developedPackages, developFolder } from "../../src/spec/developedPackages.ts";
import { graphOf, hashOf } from "./graph.ts";

describe("developedPackages", () => {
  it("are those with a folder, and all that depend on one, however", () => {
    const graph = graphOf([
      { name: "app", dependencies: [["lib", ["link"]]] },
      { name: "lib", dependencies: [["tool", ["build"]]] },
      { name: "tool", rest: { parameters: { dev_path: "/src/tool" } } },
      { name: "other", dependencies: [["zlib", ["link"]]] },
      { name: "zlib" },
    ]);
    expect([...developedPackages(graph)].sort()).toEqual(["app", "lib", "tool"].map(hashOf).sort());
    const folders = ["tool", "zlib"].map((name) => {
      const spec = graph.get(hashOf(name));
      return spec === undefined ? "missing" : developFolder(spec);
    });
    expect(folders).toEqual(["/src/tool", undefined]);
  });
});
