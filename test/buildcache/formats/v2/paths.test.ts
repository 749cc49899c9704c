import { describe, expect, it } from "vitest";
import { type PackageId, pathComponent } from "../../../../src/buildcache/formats/packageId.ts";
import { packagePaths } from "../../../../src/buildcache/formats/v2/paths.ts";
import { type DagHash, type DependencyType, parseDagHash } from "../../../../src/spec/concrete.ts";

const hash = (letter: string): DagHash => parseDagHash(letter.repeat(32)) ?? ("" as DagHash);

const id = (over: Partial<PackageId> = {}): PackageId => ({
  name: "zlib",
  version: "1.3.1",
  hash: hash("a"),
  platform: "linux",
  os: "ubuntu22.04",
  target: "x86_64_v3",
  compiler: { name: "gcc", version: "11.4.0" },
  dependencies: [],
  annotations: undefined,
  ...over,
});

const edge = (letter: string, virtuals: readonly string[], type: DependencyType = "build") => ({
  name: "some",
  hash: hash(letter),
  types: new Set([type]),
  virtuals,
  direct: true,
});

describe("paths of layout v2", () => {
  it("are those of Spack 0.23", () => {
    const stem = `linux-ubuntu22.04-x86_64_v3-gcc-11.4.0-zlib-1.3.1-${"a".repeat(32)}`;
    expect(packagePaths(id(), () => undefined)).toEqual([
      {
        signed: `build_cache/${stem}.spec.json.sig`,
        unsigned: `build_cache/${stem}.spec.json`,
        archive: `build_cache/linux-ubuntu22.04-x86_64_v3/gcc-11.4.0/zlib-1.3.1/${stem}.spack`,
      },
    ]);
  });

  it("replace what is not allowed in names", () => {
    expect(pathComponent("git.foo/bar=1.2")).toBe("git.foo_bar_1.2");
    expect(pathComponent("a+b_c-d.e é\n")).toBe("a+b_c-d.e___");
    const [paths] = packagePaths(id({ version: "git.foo/bar=1.2" }), () => undefined);
    expect(paths?.archive).toContain("/zlib-git.foo_bar_1.2/");
  });

  it("take the compiler from the edges, c before cxx before fortran, else none", () => {
    const lookup = (wanted: DagHash) =>
      ({ b: { name: "gcc", version: "13.2.0" }, c: { name: "llvm", version: "18.1.0" } })[wanted[0] as "b"];
    const compilers = (spec: PackageId) =>
      packagePaths(spec, lookup).map(({ archive }) => archive.split("/")[2]);
    const none = id({ compiler: undefined });
    expect(compilers(none)).toEqual(["none-none"]);
    const both = { ...none, dependencies: [edge("b", ["fortran", "cxx"]), edge("c", ["c"])] };
    expect(compilers(both)).toEqual(["llvm-18.1.0", "none-none"]);
    const other = { ...none, dependencies: [edge("b", ["fortran"]), edge("c", ["c"], "link")] };
    expect(compilers(other)).toEqual(["gcc-13.2.0", "none-none"]);
    const unknown = { ...none, dependencies: [edge("z", ["c"])] };
    expect(compilers(unknown)).toEqual(["none-none"]);
    const converted = { ...both, annotations: { originalSpecfileVersion: 4, compiler: "gcc@=12.2.0" } };
    expect(compilers(converted)).toEqual(["gcc-12.2.0", "llvm-18.1.0", "none-none"]);
  });
});
