import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { includedGraph, includedRoots } from "../../src/environment/includedEnvironments.ts";
import { load } from "./files.ts";

const hash = (letter: string) => letter.repeat(32);

/** A lock of Spack 1.x whose roots are the given packages, without dependencies. */
function lock(roots: Readonly<Record<string, string>>, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    _meta: { "file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5 },
    roots: Object.entries(roots).map(([spec, key]) => ({ hash: key, spec })),
    concrete_specs: Object.fromEntries(Object.entries(roots).map(([spec, key]) => [key, node(spec, key)])),
    ...more,
  });
}

function node(spec: string, key: string) {
  return {
    name: /^[a-z0-9-]+/.exec(spec)?.[0],
    version: "1.0",
    arch: { platform: "linux", platform_os: "debian12", target: "x86_64_v3" },
    namespace: "builtin",
    parameters: {},
    package_hash: "x".repeat(56),
    annotations: { original_specfile_version: 5 },
    hash: key,
  };
}

const plain = "spack: { specs: [lz4], view: false }\n";

describe("include_concrete", () => {
  it("adds the roots of locks, each hash once", async () => {
    const { environment, errors } = await load({
      "spack.yaml": "spack:\n  include_concrete:\n  - ./one\n  - two\n  specs: [hwloc]\n",
      "one/spack.yaml": plain,
      "one/spack.lock": lock({ lz4: hash("a"), "zlib@1": hash("b") }),
      "two/spack.yaml": plain,
      "two/spack.lock": lock({ zlib: hash("b"), ncurses: hash("c") }),
    });
    expect(errors).toEqual([]);
    const roots = includedRoots(environment?.included ?? []);
    expect(roots.map(({ request, hash: key }) => [request, key])).toEqual([
      ["lz4", hash("a")],
      ["zlib@1", hash("b")],
      ["ncurses", hash("c")],
    ]);
    expect([...includedGraph(environment?.included ?? []).keys()].sort()).toEqual([
      hash("a"),
      hash("b"),
      hash("c"),
    ]);
    expect(environment?.included.map(({ path, place }) => [path, place.line])).toEqual([
      ["./one", 3],
      ["two", 4],
    ]);
  });

  it("adds what they include themselves", async () => {
    const inner = { [hash("c")]: node("ncurses", hash("c")) };
    const { environment } = await load({
      "spack.yaml": "spack:\n  include_concrete: [one, three]\n",
      "one/spack.yaml": "spack: { specs: [lz4], include_concrete: [../two] }\n",
      "one/spack.lock": lock(
        { lz4: hash("a") },
        {
          include_concrete: {
            "/two": { roots: [{ hash: hash("c"), spec: "ncurses" }], concrete_specs: inner },
          },
        },
      ),
      "two/spack.yaml": plain,
      "three/spack.yaml": "spack: { include_concrete: [../four] }\n",
      "four/spack.yaml": plain,
      "four/spack.lock": lock({ bzip2: hash("d") }),
    });
    expect(includedRoots(environment?.included ?? []).map(({ request }) => request)).toEqual([
      "lz4",
      "ncurses",
      "bzip2",
    ]);
  });

  it("warns of an environment without a lock", async () => {
    const { environment, errors, warnings } = await load({
      "spack.yaml": "spack:\n  include_concrete: [base]\n  specs: [zlib]\n",
      "base/spack.yaml": plain,
    });
    expect(errors).toEqual([]);
    expect(includedRoots(environment?.included ?? [])).toEqual([]);
    expect(warnings).toEqual([
      "spack.yaml:2:22 MANIFEST_INVALID `base` adds no packages: the environment has no spack.lock",
    ]);
  });

  it("reports what is wrong, with its line", async () => {
    const { errors } = await load({
      "spack.yaml":
        "spack:\n  include_concrete:\n  - nowhere\n  - bad\n  - broken\n  - .\n  - $spack/x\n  specs: [zlib]\n",
      "bad/spack.yaml": "spack: { specs: ['zlib@@'] }\n",
      "broken/spack.yaml": plain,
      "broken/spack.lock": "{}",
    });
    expect(errors).toEqual([
      expect.stringMatching(/^bad\/spack\.yaml:1:\d+ SPEC_SYNTAX/),
      expect.stringMatching(/^broken\/spack\.lock:undefined:undefined LOCK_INVALID/),
      "spack.yaml:3:5 MANIFEST_INVALID `nowhere` cannot be included: there is no environment",
      "spack.yaml:6:5 MANIFEST_INVALID `.` cannot be included: the environments include one another in a circle",
      "spack.yaml:7:5 MANIFEST_INVALID `$spack/x` cannot be included: `$spack` has no value here",
    ]);
  });

  it("is text only", async () => {
    const { errors } = await load({ "spack.yaml": "spack:\n  include_concrete: [1]\n  specs: [zlib]\n" });
    expect(errors).toEqual([
      "spack.yaml:2:22 MANIFEST_INVALID an item of `include_concrete` must be text, not the number `1`",
    ]);
  });

  it("does not write into the included environment", async () => {
    const files = {
      "spack.yaml": "spack: { include_concrete: [b] }\n",
      "b/spack.yaml": plain,
      "b/spack.lock": lock({ lz4: hash("a") }),
    };
    const { root } = await load(files);
    expect(readFileSync(`${root}/b/spack.lock`, "utf8")).toBe(files["b/spack.lock"]);
  });
});
