import { describe, expect, it } from "vitest";
import { type ContainerInputs, changedContainers, changedPaths } from "../../src/ci/changes.ts";

const inputs = (
  name: string,
  paths: readonly string[],
  configuration: Readonly<Record<string, string>> = {},
): ContainerInputs => ({
  name,
  arch: "amd64",
  paths,
  configuration: new Map(Object.entries(configuration)),
});

describe("changedContainers", () => {
  const before = [
    inputs("a", ["a/spack.yaml"], { base: "1" }),
    inputs("b", ["b/spack.yaml", "common"], { base: "1" }),
  ];

  it("finds nothing where nothing changed, and what others changed is not one's own", () => {
    const { changed, unchanged } = changedContainers(
      before,
      before,
      new Set(["README.md", "a/spack.yaml.bak"]),
    );
    expect(changed).toEqual([]);
    expect(unchanged.map(({ name }) => name)).toEqual(["a", "b"]);
  });

  it("names the files, those in folders too, and the sections of the configuration", () => {
    const after = [
      inputs("a", ["a/spack.yaml"], { base: "2" }),
      inputs("b", ["b/spack.yaml", "common"], { base: "1" }),
    ];
    expect(changedContainers(before, after, new Set(["common/deep/x.yaml", "commons"])).changed).toEqual([
      { name: "a", arch: "amd64", reasons: ["spacktainers.yaml: base"] },
      { name: "b", arch: "amd64", reasons: ["common/deep/x.yaml"] },
    ]);
  });

  it("knows new ones, those that are gone, and files that decide no more", () => {
    const after = [inputs("a", [], { base: "1" }), inputs("c", ["c/spack.yaml"])];
    const { changed, removed } = changedContainers(before, after, new Set(["a/spack.yaml"]));
    expect(changed).toEqual([
      { name: "a", arch: "amd64", reasons: ["a/spack.yaml"] },
      { name: "c", arch: "amd64", reasons: ["new"] },
    ]);
    expect(removed).toEqual(["amd64/b"]);
  });

  it("takes the top of the repository for a folder", () => {
    expect(changedPaths([""], new Set(["x"]))).toEqual(["x"]);
  });
});
