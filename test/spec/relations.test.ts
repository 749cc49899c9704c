import { describe, expect, it } from "vitest";
import type { Dialect } from "../../src/spec/abstract.ts";
import { constrain } from "../../src/spec/constrain.ts";
import { formatSpec } from "../../src/spec/format.ts";
import { intersects } from "../../src/spec/intersects.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { concreteSatisfies, satisfies } from "../../src/spec/satisfies.ts";
import { graphOf, hashOf, type NodeInput } from "./graph.ts";

const libpng: readonly NodeInput[] = [
  {
    name: "libpng",
    version: "1.6.47",
    hash: "d6rex".padEnd(32, "a"),
    parameters: { pic: false, libs: ["shared", "static"], build_system: "autotools" },
    dependencies: [
      ["gcc", ["build"], ["c"]],
      ["zlib", ["build", "link"], ["zlib-api"]],
    ],
  },
  { name: "gcc", version: "12.2.0", parameters: { languages: ["c", "c++", "fortran"] } },
  {
    name: "zlib",
    version: "1.3.1",
    parameters: { pic: true },
    dependencies: [["gcc", ["build"], ["c"]]],
  },
];

function answers(
  constraint: string,
  dialect: Dialect,
  nodes: readonly NodeInput[],
  version: number,
): boolean {
  const graph = graphOf(nodes, version);
  const [root] = graph.keys();
  if (root === undefined) throw new Error("no nodes");
  return concreteSatisfies(graph, root, parseSpec(constraint, { dialect }), { dialect });
}

describe("a concrete spec of version 5", () => {
  // From the reference; checked with Spack 1.1.
  const met =
    "@1.6|libs=shared|libs:=static,shared|libs=*|pic=*|~pic|pic=False|^zlib@1.3|^zlib-api|%gcc@12|%c=gcc|%zlib|^gcc|" +
    "target=x86_64:|target=:x86_64_v4|^[virtuals=zlib-api] zlib|^zlib %gcc@12|builtin.libpng|/d6rex|*|" +
    "%c,cxx=gcc|%[deptypes=link] zlib|libpng|target=*|platform=linux os=debian12|cflags=''|^*+pic";
  const unmet =
    "@1.6.4|libs:=shared|nope=*|+pic|%cxx=gcc|%clang|^cmake|target=haswell:|other.libpng|cflags=-O3|zlib-api|++pic|" +
    "^zlib %clang|/d6rey|%[deptypes=run] zlib|os=rhel8|^zlib~pic|target=x86_64_v2|^[virtuals=mpi] zlib";
  it.each(met.split("|"))("satisfies %s", (constraint) => {
    expect(answers(constraint, "1.x", libpng, 5)).toBe(true);
  });
  it.each(unmet.split("|"))("does not satisfy %s", (constraint) => {
    expect(answers(constraint, "1.x", libpng, 5)).toBe(false);
  });
});

describe("a concrete spec of version 4", () => {
  const nodes: readonly NodeInput[] = [
    {
      name: "ring",
      version: "2.1.0",
      parameters: { mpi: true, features: ["stats", "trace"] },
      dependencies: [
        ["mpich", ["build", "link"], ["mpi"]],
        ["cmake", ["build"]],
      ],
    },
    { name: "mpich", version: "4.0.2", parameters: { mpi: false }, dependencies: [["hwloc", ["link"]]] },
    { name: "hwloc", version: "2.9.0" },
    { name: "cmake", version: "3.25.1" },
  ];
  it.each([
    ["%gcc@12", true],
    ["%gcc@11", false],
    ["%clang", false],
    ["^mpi", true],
    ["^mpi@5:", false],
    ["^[virtuals=mpi] mpich", true],
    ["^[virtuals=mpi] hwloc", false],
    ["^hwloc@2", true],
    ["^cmake", true],
    ["features=stats", true],
    ["features=stats,x", false],
    ["features=*", true],
    ["++mpi", false],
    ["^mpich%gcc~mpi", true],
  ])("%s: %s", (constraint, expected) => {
    expect(answers(constraint, "0.x", nodes, 4)).toBe(expected);
  });

  it("answers for %gcc in 1.x by the recorded compiler", () => {
    expect(answers("%gcc@12", "1.x", nodes, 4)).toBe(true);
    expect(answers("%gcc@11", "1.x", nodes, 4)).toBe(false);
    expect(answers("%mpich", "1.x", nodes, 4)).toBe(false);
  });
});

it("takes an edge that carries a virtual package for proof that it is provided", () => {
  const nodes: readonly NodeInput[] = [
    { name: "app", dependencies: [["my-mpi", ["link"], ["mpi", "our-own"]]] },
    { name: "my-mpi", version: "7" },
  ];
  for (const [constraint, expected] of [
    ["^mpi", true],
    ["^our-own", true],
    ["^other", false],
    ["^mpi/zzz", false],
  ] as const) {
    expect(answers(constraint, "1.x", nodes, 5), constraint).toBe(expected);
    expect(answers(constraint, "0.x", nodes, 4), constraint).toBe(expected);
  }
  expect(answers("%our-own", "1.x", nodes, 5)).toBe(true);
});

it("is false for a hash that is not there, and bears dependencies that are not at hand", () => {
  const graph = graphOf(libpng);
  const constraint = (text: string) => parseSpec(text, { dialect: "1.x" });
  expect(concreteSatisfies(graph, hashOf("nothing"), constraint("*"), { dialect: "1.x" })).toBe(false);
  graph.delete(hashOf("zlib"));
  const [root] = graph.keys();
  if (root === undefined) throw new Error("no root");
  expect(concreteSatisfies(graph, root, constraint("^zlib"), { dialect: "1.x" })).toBe(true);
  expect(concreteSatisfies(graph, root, constraint("^zlib+pic"), { dialect: "1.x" })).toBe(false);
});

describe("abstract specs", () => {
  // a, b, a satisfies b, they intersect, what both ask for ("!" when they cannot be joined): from real Spack.
  const table: Record<Dialect, readonly (readonly [string, string, boolean, boolean, string?])[]> = {
    "0.x": [
      ["zlib@1.2.3", "zlib@1.2", true, true, "zlib@1.2.3"],
      ["zlib foo=a", "zlib foo=b", true, true, "zlib foo=a,b"],
      ["zlib foo=*", "zlib+foo", true, true, "zlib foo=True"],
      ["zlib+foo", "zlib foo=x", false, false],
      ["zlib foo=none", "zlib foo=x", true, true, "!"],
      ["zlib%gcc", "zlib%gcc@12", false, true, "zlib%gcc@12"],
      ["zlib%gcc", "zlib%clang", false, false],
      ["zlib target=x86_64:", "zlib target=zen2", true, true, "!"],
      ["mpich", "mpi", true, true, "!"],
      ["hdf5 ^mpich@4", "hdf5 ^mpi@5:", false, false],
      ["zlib ^zlib", "zlib ^x", false, true, "zlib ^x ^zlib"],
      ["hdf5 ^zlib", "hdf5 ^zlib@2:1", false, true, "hdf5 ^zlib@"],
      ["hdf5 ^zlib", "hdf5 ^zlib ^zlib@2:1", false, true, "!"],
    ],
    "1.x": [
      ["zlib foo=a", "zlib foo=b", false, true, "zlib foo=a,b"],
      ["zlib foo:=a", "zlib foo=a", true, true, "zlib foo:=a"],
      ["zlib foo:=a", "zlib foo=a,b", false, false],
      ["zlib foo=*", "zlib+foo", false, true, "zlib+foo"],
      ["zlib target=x86_64_v2:", "zlib target=:zen2", true, true, "zlib target=x86_64_v2:zen2"],
      ["zlib target=x86_64_v2:,aarch64", "zlib target=:icelake", true, true, "zlib target=x86_64_v2:icelake"],
      ["zlib os=x", "zlib target=zen2:", false, true, "zlib os=x target="],
      ["zlib %gcc", "zlib %gcc@12", false, true, "zlib %gcc@12"],
      ["zlib %gcc@12", "zlib %gcc", true, true, "zlib %gcc@12"],
      ["zlib %c=gcc", "zlib %cxx=gcc", false, true, "zlib %c,cxx=gcc"],
      ["zlib ^x %gcc", "zlib ^x %gcc", true, true, "zlib ^x %gcc"],
      ["zlib/abc", "zlib/abcd", false, true, "zlib/abcd"],
      ["zlib ^+x", "zlib ^y", false, true, "zlib ^+x ^y"],
      ["zlib ^y", "zlib ^+x", false, true, "!"],
      ["blas", "lapack", false, true, "!"],
      ["zlib target=*", "zlib target=zen2", false, false],
      ["zlib target=zen2", "zlib target=*", true, true, "!"],
      ["other.mpich", "mpi", false, false],
      ["builtin.mpich", "mpi", true, true, "!"],
      ["zlib@main:master", "zlib", true, true, "zlib@"],
    ],
  };
  for (const dialect of ["0.x", "1.x"] as const)
    it.each(table[dialect].map((row) => ({ row, name: `${row[0]} and ${row[1]}` })))(
      `${dialect}: $name`,
      ({ row }) => {
        const [left, right, isSatisfied, canBoth, joined] = row;
        const [a, b] = [parseSpec(left, { dialect }), parseSpec(right, { dialect })];
        expect(satisfies(a, b, { dialect })).toBe(isSatisfied);
        expect(intersects(a, b, { dialect })).toBe(canBoth);
        if (!canBoth || joined === "!")
          expect(() => constrain(a, b, { dialect })).toThrowError(
            expect.objectContaining({ code: "SPEC_CONTRADICTION" }),
          );
        else expect(formatSpec(constrain(a, b, { dialect }), dialect)).toBe(joined);
      },
    );

  it("has an answer for packages that depend on their own name, which Spack never finishes comparing", () => {
    for (const dialect of ["0.x", "1.x"] as const) {
      const [a, b] = ["zlib@1 ^zlib ^x@1", "zlib ^[deptypes=link] zlib ^x@2"].map((text) =>
        parseSpec(text, { dialect }),
      );
      if (a === undefined || b === undefined) throw new Error("no specs");
      expect(intersects(a, a, { dialect })).toBe(true);
      expect(intersects(a, b, { dialect })).toBe(false);
      expect(formatSpec(constrain(a, a, { dialect }), dialect)).toBe("zlib@1 ^x@1 ^zlib");
    }
  });

  it("leaves its arguments as they were", () => {
    const [a, b] = ["hdf5 ^zlib@1:", "hdf5+mpi ^zlib@1.2 ^x"].map((text) =>
      parseSpec(text, { dialect: "1.x" }),
    );
    if (a === undefined || b === undefined) throw new Error("no specs");
    constrain(a, b, { dialect: "1.x" });
    expect(formatSpec(a, "1.x")).toBe("hdf5 ^zlib@1:");
    expect(formatSpec(b, "1.x")).toBe("hdf5+mpi ^x ^zlib@1.2");
  });
});
