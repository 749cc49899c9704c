import { describe, expect, it } from "vitest";
import {
  manifestPath3,
  type PackageId,
  packagePaths2,
  pathComponent,
} from "../../src/buildcache/layoutPaths.ts";
import { parseManifest, recordOf } from "../../src/buildcache/manifest.ts";
import { type DagHash, type DependencyType, parseDagHash } from "../../src/spec/concrete.ts";

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
    expect(packagePaths2(id(), () => undefined)).toEqual([
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
    const [paths] = packagePaths2(id({ version: "git.foo/bar=1.2" }), () => undefined);
    expect(paths?.archive).toContain("/zlib-git.foo_bar_1.2/");
    expect(manifestPath3(id({ version: "git.foo/bar=1.2" }))).toBe(
      `v3/manifests/spec/zlib/zlib-git.foo_bar_1.2-${"a".repeat(32)}.spec.manifest.json`,
    );
  });

  it("take the compiler from the edges, c before cxx before fortran, else none", () => {
    const lookup = (wanted: DagHash) =>
      ({ b: { name: "gcc", version: "13.2.0" }, c: { name: "llvm", version: "18.1.0" } })[wanted[0] as "b"];
    const compilers = (spec: PackageId) =>
      packagePaths2(spec, lookup).map(({ archive }) => archive.split("/")[2]);
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

describe("manifests of layout v3", () => {
  const record = (mediaType: string, over = {}) => ({
    contentLength: 5,
    mediaType,
    compression: "gzip",
    checksumAlgorithm: "sha256",
    checksum: "0".repeat(64),
    ...over,
  });
  const read = (document: unknown) => parseManifest(JSON.stringify(document), {});

  it("are read by media type, the highest known version first, whatever else is there", () => {
    const records = read({
      version: 3,
      extra: 1,
      data: [
        record("application/vnd.spack.spec.v5+json"),
        record("application/vnd.spack.spec.v6+json", { more: [] }),
        record("application/vnd.spack.spec.v7+json"),
        record("application/vnd.spack.db.v8+json"),
        record("text/plain"),
      ],
    });
    expect(recordOf(records, "spec", 3, 6)?.mediaType).toBe("application/vnd.spack.spec.v6+json");
    expect(recordOf(records, "install", 2, 2)).toBeUndefined();
    expect(recordOf(records, "db", 6, 9)?.size).toBe(5);
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["another version", JSON.stringify({ version: 4, data: [] })],
    ["no data", JSON.stringify({ version: 3 })],
    ["another algorithm", JSON.stringify({ version: 3, data: [record("x", { checksumAlgorithm: "md5" })] })],
    [
      "a path as checksum",
      JSON.stringify({ version: 3, data: [record("x", { checksum: "../../etc/passwd" })] }),
    ],
    ["a negative length", JSON.stringify({ version: 3, data: [record("x", { contentLength: -1 })] })],
    ["no media type", JSON.stringify({ version: 3, data: [record("x", { mediaType: 1 })] })],
    ["another compression", JSON.stringify({ version: 3, data: [record("x", { compression: "xz" })] })],
    [
      "very many entries",
      JSON.stringify({ version: 3, data: Array.from({ length: 2000 }, () => record("x")) }),
    ],
  ])("are refused with %s", (_, text) => {
    expect(() => parseManifest(text, {})).toThrowError(expect.objectContaining({ code: "CACHE_INVALID" }));
  });
});
