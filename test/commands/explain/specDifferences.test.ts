import { describe, expect, it } from "vitest";
import { causeText, isSame, packageDifferences } from "../../../src/commands/explain/packageDifferences.ts";
import {
  differenceText,
  firstDifference,
  specDifferences,
} from "../../../src/commands/explain/specDifferences.ts";
import type { PackageListing } from "../../../src/pipeline/describe/packageListing.ts";
import { runtimeClosure } from "../../../src/spec/closure.ts";
import type { ConcreteSpec, SpecGraph } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";

const graphOf = (...specs: readonly ConcreteSpec[]): SpecGraph =>
  new Map(specs.map((spec) => [spec.hash, spec]));
const short = ({ hash }: ConcreteSpec): string => hash.slice(0, 7);

describe("specDifferences", () => {
  it("names every input that differs, in the order in which it matters", () => {
    const before = makeSpec("tool@1.0", {
      variants: { gui: true, api: "v1", both: ["a"] },
      compiler: "12.2.0",
    });
    const after = {
      ...makeSpec("tool@2.0", {
        variants: { gui: false, api: "v2", other: true },
        compiler: "13.1.0",
        target: "x86_64_v4",
        os: "debian13",
      }),
      packageHash: "abcdefghij",
      flags: new Map([["cflags", ["-O3"]]]),
    };
    const found = specDifferences(
      { spec: before, graph: graphOf(before) },
      { spec: after, graph: graphOf(after) },
    );
    expect(found.map(differenceText)).toEqual([
      "version 1.0 → 2.0",
      "api=v1 → api=v2",
      "variant both: both=a → none",
      "+gui → ~gui",
      "variant other: none → +other",
      "cflags none → -O3",
      "recipe builtin.tool → builtin.tool/abcdefg",
      "compiler gcc@12.2.0 → gcc@13.1.0",
      "target x86_64_v3 → x86_64_v4",
      "os linux-debian12 → linux-debian13",
    ]);
  });

  it("takes the compilers of Spack 1.x from the edges", () => {
    const gcc = (version: string): ConcreteSpec => ({ ...makeSpec(`gcc@${version}`), specfileVersion: 5 });
    const with_ = (compiler: ConcreteSpec): ConcreteSpec => ({
      ...makeSpec("tool@1.0"),
      compiler: undefined,
      dependencies: [
        { name: "gcc", hash: compiler.hash, types: new Set(["build"]), virtuals: ["c", "cxx"], direct: true },
      ],
    });
    const [a, b] = [gcc("12.2.0"), gcc("13.1.0")];
    const [before, after] = [with_(a), with_(b)];
    const found = specDifferences(
      { spec: before, graph: graphOf(before, a) },
      { spec: after, graph: graphOf(after, b) },
    );
    expect(found).toEqual([{ kind: "compiler", before: "gcc@12.2.0", after: "gcc@13.1.0" }]);
  });

  it("has none for one hash, and tells dependencies from build tools", () => {
    const [oldLib, newLib] = [makeSpec("lib@1"), makeSpec("lib@2")];
    const [oldTool, newTool] = [makeSpec("cmake@1"), makeSpec("cmake@2")];
    const before = makeSpec("app@1.0", { link: [oldLib], build: [oldTool] });
    const after = makeSpec("app@1.0", { link: [newLib], build: [newTool] });
    const all = graphOf(oldLib, newLib, oldTool, newTool, before, after);
    expect(specDifferences({ spec: before, graph: all }, { spec: before, graph: all })).toEqual([]);
    expect(
      specDifferences({ spec: before, graph: all }, { spec: after, graph: all }).map(differenceText),
    ).toEqual([
      `dependency lib@1/${short(oldLib)} → lib@2/${short(newLib)}`,
      `built with cmake@1/${short(oldTool)} → cmake@2/${short(newTool)}`,
    ]);
  });
});

describe("firstDifference", () => {
  it("follows dependencies down to what really changed", () => {
    const [oldZlib, newZlib] = [makeSpec("zlib@1.2"), makeSpec("zlib@1.3")];
    const [oldPng, newPng] = [makeSpec("png@1", { link: [oldZlib] }), makeSpec("png@1", { link: [newZlib] })];
    const [before, after] = [makeSpec("app@1", { link: [oldPng] }), makeSpec("app@1", { link: [newPng] })];
    const graph = graphOf(oldZlib, newZlib, oldPng, newPng, before, after);
    const cause = firstDifference({ spec: before, graph }, { spec: after, graph });
    expect(cause?.path).toEqual(["png", "zlib"]);
    expect(cause && causeText(cause)).toBe("because of png → zlib: version 1.2 → 1.3");
  });

  it("stops at a dependency that only one of the two has", () => {
    const lib = makeSpec("lib@1");
    const [before, after] = [makeSpec("app@1", { link: [lib] }), makeSpec("app@1")];
    const graph = graphOf(lib, before, after);
    const cause = firstDifference({ spec: before, graph }, { spec: after, graph });
    expect(cause).toEqual({
      path: [],
      difference: { kind: "dependency", name: "lib", before: `lib@1/${short(lib)}`, after: undefined },
    });
  });

  it("ends where the graphs know no more, and for hashes that differ in nothing known", () => {
    const [a, b] = [makeSpec("lib@1"), makeSpec("lib@1")];
    const [before, after] = [makeSpec("app@1", { link: [a] }), makeSpec("app@1", { link: [b] })];
    const graph = graphOf(a, b, before, after);
    expect(firstDifference({ spec: a, graph }, { spec: b, graph })).toBeUndefined();
    expect(firstDifference({ spec: before, graph }, { spec: after, graph })?.difference.name).toBe("lib");
  });
});

describe("packageDifferences", () => {
  const listing = (
    roots: readonly ConcreteSpec[],
    graph: SpecGraph,
    rest: Partial<PackageListing> = {},
  ): PackageListing => ({
    label: "x",
    origin: "lock",
    roots: roots.map(({ name, hash }) => ({ request: name, hash })),
    graph,
    ...runtimeClosure(
      graph,
      roots.map(({ hash }) => hash),
    ),
    sizes: new Map(),
    sizesOf: "archives",
    basePackages: undefined,
    imageSize: undefined,
    layers: [],
    ...rest,
  });
  const [oldZlib, newZlib] = [makeSpec("zlib@1.2"), makeSpec("zlib@1.3")];
  const gone = makeSpec("gone@1");
  const fresh = makeSpec("fresh@1");
  const kept = makeSpec("kept@1");
  const before = listing([oldZlib, gone, kept], graphOf(oldZlib, gone, kept), {
    sizes: new Map([[oldZlib.hash, 10]]),
    basePackages: [
      { name: "bash", version: "1", architecture: "amd64" },
      { name: "sed", version: "1", architecture: "amd64" },
    ],
    imageSize: 100,
    layers: [
      { role: "base", size: 60 },
      { role: "packages", size: 30 },
      { role: "top", size: 10 },
    ],
  });
  const after = listing([newZlib, fresh, kept], graphOf(newZlib, fresh, kept), {
    sizes: new Map([[newZlib.hash, 30]]),
    basePackages: [
      { name: "bash", version: "2", architecture: "amd64" },
      { name: "grep", version: "1", architecture: "amd64" },
    ],
    imageSize: 130,
    layers: [
      { role: "base", size: 60 },
      { role: "packages", size: 30 },
      { role: "packages", size: 40 },
    ],
  });

  it("tells what was added, removed and changed, with sizes and the base", () => {
    const found = packageDifferences(before, after);
    expect(found.added.map(({ name }) => name)).toEqual(["fresh"]);
    expect(found.removed.map(({ name }) => name)).toEqual(["gone"]);
    expect(
      found.changed.map((one) => [one.before.version, one.after.version, one.before.size, one.after.size]),
    ).toEqual([["1.2", "1.3", 10, 30]]);
    expect(found.unchanged).toBe(1);
    expect(found.base).toEqual([
      { name: "bash", before: "1", after: "2" },
      { name: "grep", before: undefined, after: "1" },
      { name: "sed", before: "1", after: undefined },
    ]);
    expect(found.imageSizes).toEqual({ before: 100, after: 130 });
    expect(found.layerSizes).toEqual([
      { role: "base", before: 60, after: 60 },
      { role: "packages", before: 30, after: 70 },
      { role: "top", before: 10, after: 0 },
    ]);
    expect(packageDifferences(before, { ...after, layers: [] }).layerSizes).toBeUndefined();
    expect(isSame(found)).toBe(false);
  });

  it("finds nothing between a listing and itself, and is the mirror image the other way round", () => {
    expect(isSame(packageDifferences(before, before))).toBe(true);
    const [there, back] = [packageDifferences(before, after), packageDifferences(after, before)];
    expect(back.added).toEqual(there.removed);
    expect(back.removed).toEqual(there.added);
    expect(back.changed.map((one) => one.after)).toEqual(there.changed.map((one) => one.before));
  });

  it("does not compare sizes of archives with those of layers", () => {
    const found = packageDifferences(before, { ...after, sizesOf: "layers" });
    expect(found.sizesOf).toBeUndefined();
    expect(found.changed[0]?.before.size).toBeUndefined();
  });
});
