import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildGraph } from "../../src/spack/buildGraph.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../src/spec/concrete.ts";
import { graphOf, hashOf, type NodeInput } from "../spec/graph.ts";

const external = { external: { path: "/usr", module: null } };
const nodes: readonly NodeInput[] = [
  {
    name: "app",
    dependencies: [
      ["lib", ["build", "link"]],
      ["tool", ["build"]],
      ["gcc", ["build"]],
      ["python", ["run"]],
    ],
  },
  {
    name: "lib",
    dependencies: [
      ["zlib", ["link"]],
      ["cmake", ["build"]],
    ],
  },
  { name: "zlib", dependencies: [["gcc", ["build"]]] },
  {
    name: "cmake",
    dependencies: [
      ["curl", ["link"]],
      ["gcc", ["build"]],
    ],
  },
  { name: "curl" },
  { name: "tool", dependencies: [["perl", ["run"]]] },
  { name: "perl", dependencies: [["zlib", ["link"]]] },
  { name: "python", dependencies: [["zlib", ["link"]]] },
  { name: "gcc", rest: external },
];
const graph = graphOf(nodes);
const build = (...cached: string[]) => {
  const have = new Set(cached.map(hashOf));
  return buildGraph(graph, [hashOf("app")], (hash) => have.has(hash));
};
const names = (specs: readonly ConcreteSpec[]): string => specs.map(({ name }) => name).join(" ");
const built = (result: ReturnType<typeof buildGraph>): string => names(result.nodes.map(({ spec }) => spec));
const afterOf = (result: ReturnType<typeof buildGraph>, name: string): string =>
  (result.nodes.find(({ spec }) => spec.name === name)?.after ?? [])
    .map((hash) => graph.get(hash)?.name)
    .join(" ");

describe("buildGraph", () => {
  it("builds everything but externals when no cache has anything, dependencies first", () => {
    const result = build();
    const order = built(result).split(" ");
    expect([...order].sort()).toEqual(["app", "cmake", "curl", "lib", "perl", "python", "tool", "zlib"]);
    for (const { spec, after } of result.nodes)
      for (const hash of after)
        expect(order.indexOf(graph.get(hash)?.name ?? "")).toBeLessThan(order.indexOf(spec.name));
    expect(
      result.nodes
        .filter(({ buildOnly }) => buildOnly)
        .map(({ spec }) => spec.name)
        .sort(),
    ).toEqual(["cmake", "curl", "perl", "tool"]);
    expect(result.fetched).toEqual([]);
  });

  it("needs nothing that packages of caches were built with", () => {
    const result = build("lib", "python", "zlib");
    // Not cmake and curl: they built lib.
    expect(built(result)).toBe("perl tool app");
    expect(names(result.fetched)).toBe("zlib lib python");
    expect(names(result.reused)).toBe("zlib lib python");
  });

  it("needs what a missing package is built with, and what that needs to run", () => {
    const result = build("app", "lib", "python", "zlib");
    expect(built(result)).toBe("");
    const missing = build("app", "python", "zlib");
    expect(built(missing)).toBe("curl cmake lib");
    expect(afterOf(missing, "lib")).toBe("cmake");
    const tools = build("lib", "python", "zlib", "cmake");
    expect(built(tools)).toBe("perl tool app");
    expect(names(tools.fetched)).toBe("zlib lib python");
  });

  it("waits for what a package of a cache needs and the caches lack", () => {
    // tool is in a cache, perl, which it runs with, is not: app cannot be built before perl is there.
    const result = build("lib", "python", "zlib", "tool");
    expect(built(result)).toBe("perl app");
    expect(afterOf(result, "app")).toBe("perl");
    expect(names(result.fetched)).toBe("zlib lib python tool");
  });

  it("ignores test dependencies, and packages that nobody needs", () => {
    const others = graphOf([
      {
        name: "app",
        dependencies: [
          ["check", ["test"]],
          ["lib", ["link"]],
        ],
      },
      { name: "check" },
      { name: "lib" },
      { name: "unrelated" },
    ]);
    const result = buildGraph(others, [hashOf("app")], () => false);
    expect(built(result)).toBe("lib app");
  });

  it("builds the build spec of a spliced package, and not the package itself", () => {
    const spliced = graphOf([
      {
        name: "app",
        dependencies: [["newlib", ["link"]]],
        rest: { build_spec: { name: "original", hash: hashOf("original") } },
      },
      { name: "user", dependencies: [["app", ["link"]]] },
      { name: "original", dependencies: [["oldlib", ["link"]]] },
      { name: "newlib" },
      { name: "oldlib" },
    ]);
    const result = buildGraph(spliced, [hashOf("app")], (hash) => hash === hashOf("newlib"));
    expect(built(result)).toBe("oldlib original");
    expect(result.nodes.map(({ buildOnly }) => buildOnly)).toEqual([true, true]);
    expect(result.spliced.map(({ spec: { name }, after }) => [name, after])).toEqual([
      ["app", [hashOf("original")]],
    ]);
    expect([...result.reused, ...result.fetched].map(({ name }) => name)).toEqual(["newlib"]);

    // What is built with it waits for its build spec; where a cache has that, it is made from there.
    const user = buildGraph(spliced, [hashOf("user")], (hash) => hash === hashOf("newlib"));
    expect(built(user)).toBe("oldlib original user");
    expect(user.nodes.at(-1)?.after).toEqual([hashOf("original")]);
    expect(user.fetched.map(({ name }) => name)).toEqual(["newlib"]);
    const there = buildGraph(spliced, [hashOf("user")], (hash) =>
      [hashOf("newlib"), hashOf("app")].includes(hash),
    );
    expect(built(there)).toBe("user");
    expect(there.spliced).toEqual([]);
    expect(there.fetched.map(({ name }) => name)).toEqual(["newlib", "app"]);
  });

  it("refuses locks that are no DAG or not whole", () => {
    const circle = graphOf([
      { name: "a", dependencies: [["b", ["build"]]] },
      { name: "b", dependencies: [["a", ["link"]]] },
    ]);
    expect(() => buildGraph(circle, [hashOf("a")], () => false)).toThrow("depends on itself");
    const partial = new Map(graph);
    partial.delete(hashOf("curl"));
    expect(() => buildGraph(partial, [hashOf("app")], () => false)).toThrow("lacks the package");
    // What built a package of a cache may be missing.
    expect(built(buildGraph(partial, [hashOf("app")], (hash) => hash === hashOf("lib")))).toContain("app");
  });

  it("holds for any DAG and any caches: what is built can be built in this order, and nothing else is", () => {
    const types = fc.subarray(["build", "link", "run", "test"], { minLength: 1 });
    const dags = fc.integer({ min: 1, max: 12 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1), types), { maxLength: 30 }),
        cached: fc.array(fc.boolean(), { minLength: size, maxLength: size }),
        externals: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: size, maxLength: size }),
        roots: fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 3 }),
      }),
    );
    fc.assert(
      fc.property(dags, ({ size, edges, cached, externals, roots }) => {
        const letter = (index: number): string => String.fromCharCode(97 + index);
        const dag: SpecGraph = graphOf(
          Array.from({ length: size }, (_, index) => ({
            name: letter(index),
            dependencies: edges.flatMap(([from, to, deptypes]) =>
              // Edges lead to later letters only.
              from === index && to > index && externals[index] !== 0 ? [[letter(to), deptypes] as const] : [],
            ),
            ...(externals[index] === 0 ? { rest: external } : {}),
          })),
        );
        const has = (hash: DagHash): boolean => cached[hash.charCodeAt(0) - 97] === true;
        const rootHashes = roots.map((root) => hashOf(letter(root)));
        const result = buildGraph(dag, rootHashes, has);

        const node = (hash: DagHash): ConcreteSpec => dag.get(hash) as ConcreteSpec;
        const needs = (spec: ConcreteSpec, wanted: readonly string[]): readonly DagHash[] =>
          spec.dependencies.flatMap((edge) =>
            wanted.some((type) => edge.types.has(type as "run")) ? edge.hash : [],
          );
        const done = new Set<DagHash>();
        const available = (hash: DagHash): boolean =>
          node(hash).external !== undefined ||
          done.has(hash) ||
          (has(hash) && needs(node(hash), ["link", "run"]).every(available));
        for (const { spec, after } of result.nodes) {
          expect(has(spec.hash)).toBe(false);
          expect(spec.external).toBeUndefined();
          // With nothing but what it says it comes after, it can be built.
          const before = new Set(done);
          done.clear();
          const add = (hash: DagHash): void => {
            if (done.has(hash)) return;
            done.add(hash);
            for (const each of result.nodes.find((other) => other.spec.hash === hash)?.after ?? []) add(each);
          };
          for (const hash of after) {
            expect(before.has(hash)).toBe(true);
            add(hash);
          }
          expect(needs(spec, ["build", "link", "run"]).every(available)).toBe(true);
          for (const hash of before) done.add(hash);
          done.add(spec.hash);
        }
        // All roots can be run then.
        const runs = (hash: DagHash): boolean =>
          available(hash) &&
          (node(hash).external !== undefined || needs(node(hash), ["link", "run"]).every(runs));
        expect(rootHashes.every(runs)).toBe(true);
        // Nothing is built that neither runs nor builds something, through packages of caches or not.
        const runtime = new Set(rootHashes);
        for (const hash of runtime) for (const each of needs(node(hash), ["link", "run"])) runtime.add(each);
        const useful = new Set(runtime);
        for (const { spec } of result.nodes)
          for (const each of needs(spec, ["build", "link", "run"])) useful.add(each);
        for (const hash of useful)
          if (has(hash)) for (const each of needs(node(hash), ["link", "run"])) useful.add(each);
        for (const { spec, buildOnly } of result.nodes) {
          expect(useful.has(spec.hash)).toBe(true);
          expect(buildOnly).toBe(!runtime.has(spec.hash));
        }
        // Fetched is exactly what of caches building needs.
        for (const { hash } of result.fetched) expect(has(hash)).toBe(true);
        const fetched = new Set(result.fetched.map(({ hash }) => hash));
        for (const { spec } of result.nodes)
          for (const hash of needs(spec, ["build", "link", "run"]))
            if (node(hash).external === undefined && has(hash)) expect(fetched.has(hash)).toBe(true);
        if (result.nodes.length === 0) expect(result.fetched).toEqual([]);
      }),
    );
  });
});
