import { describe, expect, it } from "vitest";
import { checkGraph, readNode, readSpecFile } from "../../src/spec/readSpecfile.ts";
import { hashOf, nodeJson } from "./graph.ts";

const hashes = new Map([
  ["app", hashOf("app")],
  ["lib", hashOf("lib")],
]);
const app = (rest: Record<string, unknown> = {}, version = 5) =>
  nodeJson(
    {
      name: "app",
      parameters: { mpi: true, libs: ["b", "a"], kind: "x" },
      dependencies: [["lib", ["link", "run"], ["api"]]],
      rest,
    },
    hashes,
    version,
  );
const lib = (rest: Record<string, unknown> = {}, version = 5) =>
  nodeJson({ name: "lib", rest }, hashes, version);
const file = (nodes: readonly unknown[], version: unknown = 5) => ({ spec: { _meta: { version }, nodes } });
const place = { file: "spec.json" };
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("readNode", () => {
  it("reads a node of version 5", () => {
    const node = readNode(app({ package_hash: "abc====", provided_virtuals: undefined }), {
      specfileVersion: 5,
      place,
    });
    expect(node).toMatchObject({
      name: "app",
      version: "1.0",
      namespace: "builtin",
      hash: hashOf("app"),
      platform: "linux",
      os: "debian12",
      target: "x86_64_v3",
      compiler: undefined,
      external: undefined,
      packageHash: "abc====",
      annotations: { originalSpecfileVersion: 5, compiler: undefined },
      specfileVersion: 5,
    });
    expect([...node.variants]).toEqual([
      ["mpi", true],
      ["libs", ["b", "a"]],
      ["kind", "x"],
    ]);
    expect([...node.flags]).toEqual([
      ["cflags", []],
      ["cxxflags", []],
    ]);
    expect(node.dependencies).toEqual([
      { name: "lib", hash: hashOf("lib"), types: new Set(["link", "run"]), virtuals: ["api"], direct: false },
    ]);
  });

  it("reads versions 3 and 4", () => {
    const old = { ...app({}, 4), dependencies: [{ name: "lib", hash: hashOf("lib"), type: ["build"] }] };
    expect(readNode(old, { specfileVersion: 3, place })).toMatchObject({
      compiler: { name: "gcc", version: "12.2.0" },
      dependencies: [{ types: new Set(["build"]), virtuals: [] }],
    });
    expect(readNode(app({}, 4), { specfileVersion: 4, place }).dependencies[0]?.virtuals).toEqual(["api"]);
  });

  it("takes targets as names and as objects, and patches from the top level", () => {
    const node = readNode(
      {
        ...app({ patches: ["ff", "aa"] }),
        arch: { platform: "linux", platform_os: "x", target: { name: "zen2" } },
      },
      { specfileVersion: 5, place },
    );
    expect(node.target).toBe("zen2");
    expect(node.variants.get("patches")).toEqual(["aa", "ff"]);
  });

  it("knows external packages", () => {
    const external = (value: unknown) =>
      readNode(app({ external: value }), { specfileVersion: 5, place }).external;
    expect(external({ path: "/usr", module: null, extra_attributes: {} })).toEqual({
      path: "/usr",
      modules: [],
    });
    expect(external({ path: "None", module: ["m/1"] })).toEqual({ path: undefined, modules: ["m/1"] });
    expect(external({ path: "/usr", module: false })).toEqual({ path: "/usr", modules: [] });
    expect(external({ path: null, module: null })).toBeUndefined();
    expect(external(null)).toBeUndefined();
  });

  it("uses the key where the node has no hash", () => {
    const { hash: _, ...without } = app();
    expect(readNode(without, { specfileVersion: 5, place, hashIfMissing: hashOf("key") }).hash).toBe(
      hashOf("key"),
    );
    expect(() => readNode(without, { specfileVersion: 5, place })).toThrowError(
      failure("CACHE_INVALID", /no hash/),
    );
  });

  it.each([
    [null, /must be a mapping/],
    [{}, /name of a spec must be a string/],
    [app({ name: "../x" }), /characters that names cannot have/],
    [app({ name: "a/b" }), /characters that names cannot have/],
    [app({ version: "1\n2" }), /characters that versions cannot have/],
    [app({ version: undefined, versions: ["1"] }), /version must be a string/],
    [app({ hash: "short" }), /hash of 32 characters/],
    [app({ arch: "linux" }), /arch must be a mapping/],
    [app({ parameters: { foo: { a: 1 } } }), /variant foo must be a string/],
    [app({ parameters: { cflags: "x" } }), /cflags must be a list/],
    [app({ dependencies: {} }), /dependencies must be a list/],
    [
      app({ dependencies: [{ name: "x", hash: hashOf("x"), parameters: { deptypes: ["toString"] } }] }),
      /unknown type/,
    ],
    [
      app({ dependencies: [{ name: "x", hash: "!", parameters: { deptypes: [] } }] }),
      /hash of the dependency x/,
    ],
    [app({ concrete: false }), /not concrete/],
    [app({ annotations: { original_specfile_version: "5" } }), /whole number/],
    [app({ version: "1".repeat(5000) }), /characters that versions cannot have/],
    [app({ namespace: "x".repeat(20_000) }), /too long/],
  ])("refuses a malformed node %#", (json, message) => {
    expect(() => readNode(json, { specfileVersion: 5, place })).toThrowError(
      failure("CACHE_INVALID", message),
    );
  });

  it("names the lock when it reads one", () => {
    expect(() => readNode({}, { specfileVersion: 5, place, code: "LOCK_INVALID" })).toThrowError(
      failure("LOCK_INVALID", /name/),
    );
  });

  it.each([1, 2, 7, 99])("refuses version %i", (version) => {
    expect(() => readNode(app(), { specfileVersion: version, place })).toThrowError(
      failure("NOT_SUPPORTED", /cannot be read/),
    );
  });

  it("keeps keys like __proto__ to themselves", () => {
    const node = readNode(
      JSON.parse(JSON.stringify(app()).replace('"mpi":true', '"__proto__":"x","mpi":true')),
      { specfileVersion: 5, place },
    );
    expect(node.variants.get("__proto__")).toBe("x");
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe("readSpecFile", () => {
  it("reads root and graph", () => {
    const { root, graph } = readSpecFile(file([app(), lib()]), place);
    expect(root.name).toBe("app");
    expect([...graph.keys()]).toEqual([hashOf("app"), hashOf("lib")]);
  });

  it.each([
    [[], /must be a mapping/],
    [{ spec: [{ zlib: {} }] }, /version 1 cannot be read/],
    [{ spec: {} }, /_meta must be a mapping/],
    [file([app()], "5"), /does not say its version/],
    [file([]), /no specs/],
    [file([app()]), /dependency lib \w+ of app is not among the specs/],
    [file([app(), lib(), lib()]), /occurs twice/],
    [file([app(), lib({ dependencies: app().dependencies })]), /depends on itself/],
    [file([app({ build_spec: { name: "lib", hash: hashOf("other") } }), lib()]), /build spec/],
  ])("refuses a malformed file %#", (json, message) => {
    expect(() => readSpecFile(json, place)).toThrowError(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    );
  });

  it("bears very deep graphs", () => {
    const depth = 5_000;
    const name = (i: number) => `n${i}`;
    const hash = (i: number) =>
      [...String(i)]
        .map((digit) => "abcdefghij"[Number(digit)])
        .join("")
        .padStart(32, "z");
    const nodes = Array.from({ length: depth }, (_, i) =>
      nodeJson(
        { name: name(i), dependencies: i + 1 < depth ? [[name(i + 1), ["link"]]] : [] },
        new Map([
          [name(i), hash(i)],
          [name(i + 1), hash(i + 1)],
        ]),
      ),
    );
    const { graph } = readSpecFile(file(nodes), place);
    expect(graph.size).toBe(depth);
    expect(() => checkGraph(graph, place)).not.toThrow();
  });
});
