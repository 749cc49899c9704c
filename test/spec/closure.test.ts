import { describe, expect, it } from "vitest";
import { relocationOrder, runtimeClosure, topologicalOrder } from "../../src/spec/closure.ts";
import { graphOf, hashOf } from "./graph.ts";

const external = { external: { path: "/usr", module: null } };
const graph = graphOf([
  {
    name: "app",
    dependencies: [
      ["zlib", ["link"]],
      ["mpi", ["build", "link"]],
      ["python", ["run"]],
      ["cmake", ["build"]],
    ],
  },
  {
    name: "mpi",
    dependencies: [
      ["hwloc", ["link"]],
      ["glibc", ["link"]],
    ],
  },
  { name: "hwloc", dependencies: [["zlib", ["link"]]] },
  {
    name: "python",
    dependencies: [
      ["zlib", ["link"]],
      ["tool", ["run"]],
    ],
  },
  { name: "zlib" },
  { name: "tool" },
  { name: "cmake", dependencies: [["zlib", ["link"]]] },
  { name: "glibc", rest: external },
]);
const names = (specs: readonly { readonly name: string }[]) => specs.map((spec) => spec.name).join(" ");

describe("the runtime closure", () => {
  it("has dependents before dependencies, breadth-first as possible, and externals apart", () => {
    const { packages, externals } = runtimeClosure(graph, [hashOf("app")]);
    expect(names(packages)).toBe("app mpi python hwloc tool zlib");
    expect(names(externals)).toBe("glibc");
  });

  it("refuses what depends on itself rather than leaving it out", () => {
    const circle = graphOf([
      { name: "app", dependencies: [["lib", ["link"]]] },
      { name: "lib", dependencies: [["tool", ["run"]]] },
      { name: "tool", dependencies: [["lib", ["link"]]] },
    ]);
    for (const root of ["app", "lib"])
      expect(() => runtimeClosure(circle, [hashOf(root)])).toThrow(/depends on itself/);
  });

  it("takes several roots, also when one depends on another or is named twice", () => {
    const roots = ["python", "app", "python"].map(hashOf);
    expect(names(runtimeClosure(graph, roots).packages)).toBe("app mpi python hwloc tool zlib");
    expect(names(runtimeClosure(graph, [hashOf("zlib"), hashOf("hwloc")]).packages)).toBe("hwloc zlib");
    expect(runtimeClosure(graph, []).packages).toEqual([]);
  });

  it("follows only the types that were asked for", () => {
    expect(names(topologicalOrder(graph, [hashOf("app")], new Set(["run"])))).toBe("app python tool");
  });
});

it("the relocation order is itself, the link closure breadth-first, then direct run dependencies", () => {
  const order = relocationOrder(graph, hashOf("app")).map((hash) => graph.get(hash)?.name);
  expect(order.join(" ")).toBe("app mpi zlib hwloc python");
});
