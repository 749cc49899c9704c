import { describe, expect, it } from "vitest";
import { buildPlanText } from "../../src/cli/planText.ts";
import type { DagHash } from "../../src/spec/concrete.ts";

const package_ = (name: string, seconds: number | undefined, memory: number | undefined) => ({
  package: `${name}@1.0/abcdefg`,
  name,
  version: "1.0",
  hash: "a".repeat(32) as DagHash,
  buildOnly: name === "cmake",
  seconds,
  memory,
});
const text = (executor: string, atOnce: number): string =>
  buildPlanText({
    name: "sim",
    arch: "amd64",
    build: {
      executor,
      atOnce,
      packages: [
        package_("cmake", 60, 3 * 10 ** 8),
        package_("hdf5", 30, 9 * 10 ** 8),
        package_("app", undefined, undefined),
      ],
      known: 2,
      seconds: 100,
      criticalPath: ["cmake@1.0/abcdefg", "hdf5@1.0/abcdefg"],
      fetched: 2,
    },
  });

describe("what a plan says of building", () => {
  it("names the executor, the time, the memory, the longest chain, and each package", () => {
    expect(text("host", 2)).toBe(`sim amd64  3 packages to build, about 1 min 40 s (known of 2)
  by       host, at most 2 at a time
  memory   at most 900 MB for one package
  longest  cmake@1.0/abcdefg → hdf5@1.0/abcdefg
  needs    2 packages of caches to build with
     TO BUILD           TIME       MEMORY  WHY
  +  cmake@1.0/abcdefg  1 min 0 s  300 MB  only to build others
  +  hdf5@1.0/abcdefg   30 s       900 MB
  +  app@1.0/abcdefg`);
  });

  it("says that Slurm decides how many run at a time, unless somebody does", () => {
    expect(text("slurm", 3)).toContain("slurm, one job per package");
    expect(text("slurm", 2)).toContain("slurm, at most 2 at a time");
    expect(text("container", 8)).toContain("container, at most 8 at a time");
  });
});
