import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readManifest } from "../../src/environment/manifest.ts";
import { environmentPaths, environmentText } from "../../src/spack/environmentText.ts";

const target = "target=x86_64_v3";
/** The environment made of a manifest, as data. */
function made(text: string, mirrors = {}): Record<string, unknown> {
  const { environment, errors } = readManifest(text, "/repo/defs/sim/spack.yaml");
  expect(errors).toEqual([]);
  const result = environmentText(text, {
    file: "/repo/defs/sim/spack.yaml",
    scope: "/cache/scope",
    config: { build_stage: ["/cache/stage"], "install_tree:": { root: "/cache/store", padded_length: 128 } },
    mirrors,
    requireAll: environment?.all.require ?? [],
    target,
  });
  return (parse(result) as { spack: Record<string, unknown> }).spack;
}

describe("environmentText", () => {
  it("takes a manifest as it is, without a view, with our places and scope", () => {
    expect(made("spack:\n  specs: [hdf5@1.10 +mpi]\n  view: /opt/view\n")).toEqual({
      specs: ["hdf5@1.10 +mpi"],
      view: false,
      include: ["/cache/scope"],
      config: {
        build_stage: ["/cache/stage"],
        "install_tree:": { root: "/cache/store", padded_length: 128 },
      },
    });
  });

  it("does not change how anything is written", () => {
    const text =
      "spack:\n  specs:\n  - zlib@1.10 # ten\n  packages:\n    zlib:\n      version: ['1.10', \"1.20\"]\n";
    const { environment } = readManifest(text, "spack.yaml");
    const result = environmentText(text, {
      file: "/repo/spack.yaml",
      scope: "/s",
      config: {},
      mirrors: {},
      requireAll: environment?.all.require ?? [],
      target,
    });
    expect(result).toContain("- zlib@1.10 # ten");
    expect(result).toMatch(/version: \[ ?'1\.10', "1\.20" ?\]/);
  });

  it("decides where packages are built, whatever the manifest says; the rest of `config` stays", () => {
    const { config } = made(`spack:
  specs: [zlib]
  config:
    install_tree: {root: /opt/software, projections: {all: "{name}"}}
    build_stage: /scratch
    checksum: false
`);
    expect(config).toEqual({
      checksum: false,
      build_stage: ["/cache/stage"],
      "install_tree:": { root: "/cache/store", padded_length: 128 },
    });
  });

  it("lets relative paths start from where the manifest lies", () => {
    const spack = made(`spack:
  specs: [zlib]
  include: [../common.yaml, {path: more, optional: true}, $HOME/own.yaml, /etc/site.yaml, "https://example.org/a.yaml"]
  include_concrete: [../other]
  repos: {ours: ./recipes, theirs: {git: "https://example.org/r.git"}}
  develop: {zlib: {spec: zlib@=1.3}, ring: {spec: ring@=1, path: src/ring}}
`);
    expect(spack.include).toEqual([
      "/repo/defs/common.yaml",
      { path: "/repo/defs/sim/more", optional: true },
      "$HOME/own.yaml",
      "/etc/site.yaml",
      "https://example.org/a.yaml",
      "/cache/scope",
    ]);
    expect(spack.include_concrete).toEqual(["/repo/defs/other"]);
    expect(spack.repos).toEqual({
      ours: "/repo/defs/sim/recipes",
      theirs: { git: "https://example.org/r.git" },
    });
    expect(spack.develop).toEqual({
      zlib: { spec: "zlib@=1.3", path: "/repo/defs/sim/zlib" },
      ring: { spec: "ring@=1", path: "/repo/defs/sim/src/ring" },
    });
    expect(made("spack:\n  specs: [zlib]\n  repos: [recipes]\n").repos).toEqual(["/repo/defs/sim/recipes"]);
  });

  it("adds the platform's target to what is required of all packages, unless that names one", () => {
    const packages = (all: string) =>
      made(`spack:\n  specs: [zlib]\n  packages: {all: ${all}, zlib: {require: +pic}}\n`).packages;
    // Text would replace the scope's requirement.
    expect(packages('{require: "%gcc@12"}')).toEqual({
      all: { "require:": ["%gcc@12", target] },
      zlib: { require: "+pic" },
    });
    expect(
      packages('{require: [{one_of: ["%gcc", "%clang"], when: "+mpi", message: why}, build_type=Debug]}'),
    ).toEqual({
      all: {
        "require:": [
          { one_of: ["%gcc", "%clang"], when: "+mpi", message: "why" },
          "build_type=Debug",
          target,
        ],
      },
      zlib: { require: "+pic" },
    });
    // Spack looks for the target of externals in plain text only, and finds no solution without it.
    for (const written of ["target=x86_64_v4", "[target=x86_64_v4]", "[{spec: target=x86_64_v4}]"])
      expect(packages(`{require: ${written}, providers: {mpi: [mpich]}}`)).toEqual({
        all: { providers: { mpi: ["mpich"] }, "require:": ["target=x86_64_v4"] },
        zlib: { require: "+pic" },
      });
    expect(packages("{variants: +pic}")).toEqual({ all: { variants: "+pic" }, zlib: { require: "+pic" } });
  });

  it("adds mirrors to those of the manifest, also where these replace all others", () => {
    const ours = { cache: { url: "file:///cache", signed: false } };
    expect(made("spack:\n  specs: [zlib]\n  mirrors:: {own: /mirror}\n", ours)).toMatchObject({
      "mirrors:": { own: "/mirror", cache: { url: "file:///cache", signed: false } },
    });
    expect(made("spack:\n  specs: [zlib]\n", ours)).toMatchObject({ mirrors: ours });
  });
});

describe("environmentPaths", () => {
  it("names what an environment reads of this machine, and nothing else", () => {
    expect(
      environmentPaths(`spack:
  specs: [zlib]
  include: [/d/common.yaml, { path: /d/more, when: "True" }, https://example.org/x.yaml, /cache/scope-1]
  repos:: { own: /d/recipes, other: { git: https://example.org/r.git } }
  develop: { app: { spec: app@main, path: /src/app } }
  mirrors: { caches: { url: "file:///d/a%20mirror" }, far: s3://bucket }
  config: { install_tree: { root: /not/read } }
`),
    ).toEqual(["/d/common.yaml", "/d/more", "/cache/scope-1", "/d/recipes", "/src/app", "/d/a mirror"]);
    expect(environmentPaths("spack: {}\n")).toEqual([]);
  });
});
