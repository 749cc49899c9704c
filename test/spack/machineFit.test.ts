import { describe, expect, it } from "vitest";
import { expectMachineOfLock } from "../../src/spack/machineFit.ts";
import type { Spack } from "../../src/spack/spack.ts";
import type { JsonObject } from "../../src/util/json.ts";
import { graphOf, hashOf } from "../spec/graph.ts";

const external = { external: { path: "/usr", module: null, extra_attributes: {} } };
const graph = graphOf([
  { name: "gcc", version: "12.2.0", rest: external },
  { name: "glibc", version: "2.36", rest: external },
  {
    name: "opengl",
    version: "4.5",
    rest: { external: { path: "/opt/gl", module: null, extra_attributes: {} } },
  },
  {
    name: "zlib",
    dependencies: [
      ["gcc", ["build"]],
      ["glibc", ["link"]],
      ["opengl", ["link"]],
    ],
  },
]);
const zlib = graph.get(hashOf("zlib"));
const check = (gcc: string, glibc: readonly [number, number] | undefined, image?: string): void => {
  if (zlib === undefined) throw new Error("no zlib");
  const packages: JsonObject = {
    gcc: { externals: [{ spec: `gcc@${gcc} languages:='c,c++'`, prefix: "/usr" }] },
  };
  const spack = {
    python: { executable: "/usr/bin/python3", version: [3, 12, 3], machine: "x86_64", glibc },
    container: image === undefined ? undefined : { image },
  } as unknown as Spack;
  const nodes = [{ spec: zlib, after: [], buildOnly: false }];
  expectMachineOfLock(nodes, { graph, machine: { packages, compilers: [] }, spack, file: "/d/spack.lock" });
};

describe("expectMachineOfLock", () => {
  it("accepts a lock of this machine, and what only the definition knows of", () => {
    check("12.2.0", [2, 36]);
    check("12.2.0", undefined);
  });

  it("refuses one of another machine, and says how they differ", () => {
    expect(() => check("13.3.0", [2, 39], "local_builder")).toThrow(
      "the lock is not for the builder image local_builder: it has gcc@12.2.0 in /usr, there is 13.3.0, it has glibc@2.36, there is 2.39",
    );
    expect(() => check("12.2.0", [2, 35])).toThrow(
      "the lock is not for this machine: it has glibc@2.36, there is 2.35",
    );
  });
});
