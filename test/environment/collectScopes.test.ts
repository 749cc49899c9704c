import { describe, expect, it } from "vitest";
import { load } from "./files.ts";
import { machineFor } from "./machines.ts";

const definition = (name: string, spec: string) => `definitions:\n- ${name}: [${spec}]\n`;

describe("files that a manifest includes", () => {
  it("count below the manifest, the first above the second", async () => {
    const { environment, errors } = await load({
      "spack.yaml": `spack:
  specs: [zlib]
  include: [a.yaml, b.yaml]
  packages:
    zlib: { require: "@1.3" }
    hdf5:: { require: +mpi }
`,
      "a.yaml":
        "packages:\n  zlib: { variants: +pic, require: '@1.2' }\n  hdf5: { variants: +hl }\n  mpich: { require: '@4' }\n",
      "b.yaml":
        "packages:\n  zlib: { variants: ~pic }\n  mpich: { require: ['@3'] }\n  lz4: { require: ['@1'] }\n",
    });
    expect(errors).toEqual([]);
    const text = (name: string) =>
      environment?.packages.get(name)?.require.map(({ options }) => options[0]?.text);
    expect(text("zlib")).toEqual(["@1.3"]);
    expect(text("hdf5")).toEqual(["+mpi"]);
    expect(environment?.packages.get("hdf5")?.variants).toEqual([]);
    expect(environment?.packages.get("zlib")?.variants.map((spec) => spec.text)).toEqual(["+pic"]);
    expect(text("mpich")).toEqual(["@4"]);
    expect(environment?.packages.get("mpich")?.require[0]?.place).toMatchObject({ line: 4 });
    expect(text("lz4")).toEqual(["@1"]);
  });

  it("have versions as texts, quoted or not", async () => {
    const { environment } = await load({
      "spack.yaml":
        "spack:\n  include: [a.yaml]\n  specs: [zlib]\n  packages: { zlib: { version: [1.2, 7.0] } }\n",
      "a.yaml": "packages: { zlib: { version: ['7.0', 1.3, '1.2'] } }\n",
    });
    expect(environment?.packages.get("zlib")?.versions.map(({ text }) => text)).toEqual([
      "1.2",
      "7.0",
      "1.3",
    ]);
  });

  it("let a scope in the middle replace those below it only", async () => {
    const { roots } = await load({
      "spack.yaml": "spack:\n  include: [a.yaml, b.yaml]\n  specs: [$t]\n  definitions: [{ t: [lz4] }]\n",
      "a.yaml": "definitions::\n- t: [zlib]\n",
      "b.yaml": definition("t", "hwloc"),
    });
    expect(roots).toEqual(["lz4", "zlib"]);
  });

  it("may include others, relative to themselves", async () => {
    const { roots, errors } = await load({
      "spack.yaml": "spack:\n  include: [one/a.yaml]\n  definitions: [{ all: [lz4] }]\n  specs: [$all]\n",
      "one/a.yaml": `include: [two/b.yaml]\n${definition("all", "zlib")}`,
      "one/two/b.yaml": `include: [{ path: three }]\n${definition("all", "hwloc")}`,
      "one/two/three/definitions.yaml": definition("all", "ncurses"),
      "one/two/three/include.yaml": "include: [../../../four.yaml]\n",
      "four.yaml": definition("all", "bzip2"),
    });
    expect(errors).toEqual([]);
    expect(roots).toEqual(["lz4", "zlib", "hwloc", "ncurses", "bzip2"]);
  });

  it("replace what is less important with `include::`", async () => {
    const { roots } = await load({
      "spack.yaml": "spack:\n  include: [a.yaml, b.yaml]\n  specs: [$t]\n",
      "a.yaml": `include:: [c.yaml]\n${definition("t", "lz4")}`,
      "b.yaml": definition("t", "zlib"),
      "c.yaml": definition("t", "hwloc"),
    });
    expect(roots).toEqual(["lz4", "hwloc"]);
  });

  it("cannot include one another in a circle", async () => {
    const { errors } = await load({
      "spack.yaml": "spack:\n  include: [a.yaml]\n  specs: [zlib]\n",
      "a.yaml": "include: [b.yaml]\n",
      "b.yaml": "include:\n- a.yaml\n",
    });
    expect(errors).toEqual([
      "b.yaml:2:3 MANIFEST_INVALID `a.yaml` includes this file too: the includes form a circle",
    ]);
  });

  it("are bounded in number", async () => {
    const many = Array.from({ length: 150 }, (_, index) => `{ path: x${index}, optional: true }`);
    const { errors } = await load({
      "spack.yaml": `spack:\n  include: [${many.join(", ")}]\n  specs: [zlib]\n`,
    });
    expect(errors).toEqual([expect.stringContaining("more than 100 files are included")]);
  });

  it("count once", async () => {
    const { roots, warnings } = await load({
      "spack.yaml":
        "spack:\n  include:\n  - a.yaml\n  - ./a.yaml\n  - { path: b.yaml, name: n }\n  - { path: c.yaml, name: n }\n  specs: [$t]\n",
      "a.yaml": definition("t", "zlib"),
      "b.yaml": definition("t", "lz4"),
      "c.yaml": definition("t", "hwloc"),
    });
    expect(roots).toEqual(["zlib", "lz4"]);
    expect(warnings).toEqual([
      "spack.yaml:4:5 MANIFEST_INVALID `./a.yaml` is included twice: the second time has no effect",
      "spack.yaml:6:5 MANIFEST_INVALID `c.yaml` has no effect: another include has the name `n`",
    ]);
  });

  it.each([
    ["nothing", "", []],
    ["a comment", "# nothing\n", []],
    ["a list", "- 1\n", ["a.yaml:1:1 MANIFEST_INVALID an included file must be a mapping, not a list"]],
    ["a manifest", "spack: {}\n", ["a.yaml:1:1 MANIFEST_INVALID `spack` cannot stand in an included file"]],
    ["specs", "specs: [zlib]\n", ["a.yaml:1:1 MANIFEST_INVALID `specs` cannot stand in an included file"]],
    [
      "environments",
      "include_concrete: [x]\n",
      ["a.yaml:1:1 MANIFEST_INVALID `include_concrete` cannot stand in an included file"],
    ],
    [
      "anything else",
      "packages: {}\nnonsense: 1\n",
      ["a.yaml:2:1 MANIFEST_INVALID `nonsense` cannot stand in an included file"],
    ],
    ["no YAML", "a: [1\n", [expect.stringMatching(/^a\.yaml:[12]:\d+ MANIFEST_INVALID/)]],
    [
      "what no schema takes",
      "config:\n  build_jobs: many\n",
      ["a.yaml:2:15 MANIFEST_INVALID `build_jobs` must be a whole number, 1 or more, not `many`"],
    ],
  ])("with %s", async (_, text, problems) => {
    const { errors } = await load({
      "spack.yaml": "spack:\n  include: [a.yaml]\n  specs: [zlib]\n",
      "a.yaml": text,
    });
    expect(errors).toEqual(problems);
  });

  it("are held to the schemas where they are overridden, too", async () => {
    const { errors } = await load({
      "spack.yaml":
        "spack:\n  include: [a.yaml]\n  specs: [zlib]\n  packages::\n    zlib: { require: [+pic] }\n",
      "a.yaml": "packages:\n  zlib:\n    require: 1\n",
    });
    expect(errors).toEqual([expect.stringMatching(/^a\.yaml:3:14 MANIFEST_INVALID `require` must be/)]);
  });
});

describe("folders that a manifest includes", () => {
  it("have a file for each section, and nothing else counts", async () => {
    const { roots, errors, environment } = await load({
      "spack.yaml": "spack:\n  include: [site/]\n  specs: [$libs]\n",
      "site/.pipeline.yml": "stages: [a]\n",
      "site/notes.yaml": "packages: { lz4: { require: '@9' } }\n",
      "site/packages.yml": "nonsense: 1\n",
      "site/Packages.yaml": "nonsense: 1\n",
      "site/specs.yaml": "nonsense: 1\n",
      "site/container.yaml": "nonsense: 1\n",
      "site/linux/definitions.yaml": definition("libs", "zlib"),
      "site/definitions.yaml": definition("libs", "ncurses"),
      "site/packages.yaml": "packages:\n  lz4: { require: '@1.9.4' }\n",
      "site/config.yaml": "",
    });
    expect(errors).toEqual([]);
    expect(roots).toEqual(["ncurses"]);
    expect(environment?.packages.get("lz4")?.require[0]?.options[0]?.text).toBe("@1.9.4");
  });

  it("must name the section in its file", async () => {
    const { errors } = await load({
      "spack.yaml": "spack:\n  include: [site]\n  specs: [zlib]\n",
      "site/packages.yaml": "lz4: { require: '@1.9.4' }\n",
      "site/config.yaml": "config: {}\npackages: {}\n",
    });
    expect(errors).toEqual([
      "site/config.yaml:2:1 MANIFEST_INVALID `packages` cannot stand in `config.yaml`",
      "site/packages.yaml:1:1 MANIFEST_INVALID `lz4` cannot stand in `packages.yaml`",
    ]);
  });
});

describe("conditions and paths of includes", () => {
  it("decide, before anything is read", async () => {
    const { roots, errors } = await load({
      "spack.yaml": `spack:
  include:
  - { path: gone.yaml, when: "platform == 'darwin'" }
  - { path: a.yaml, when: "env.get('MODE') == 'full' and arch.satisfies('target=x86_64:')" }
  - { path: b.yaml, when: "" }
  - { path: nowhere.yaml, optional: true }
  - { git: "https://example.org/x", branch: main, paths: [p], when: "False" }
  specs: [$t]
`,
      "a.yaml": definition("t", "zlib"),
      "b.yaml": definition("t", "lz4"),
    });
    expect(errors).toEqual([]);
    expect(roots).toEqual(["zlib", "lz4"]);
  });

  it("are errors at their characters", async () => {
    const { errors } = await load({
      "spack.yaml": `spack:
  include:
  - { path: a.yaml, when: "cluster == 'one'" }
  - { path: a.yaml, when: "open('x')" }
  - b.yaml
  - $env/c.yaml
  - { path: "" }
  - { git: "https://example.org/x", paths: [p] }
  - { git: "https://example.org/x", tag: t, paths: [] }
  - s3://bucket/x.yaml
  - foo:x.yaml
  - https://u:secret@example.org/x.yaml
  - $spack/etc/x.yaml
  specs: [zlib]
`,
      "a.yaml": "",
    });
    expect(errors).toEqual([
      "spack.yaml:3:28 MANIFEST_INVALID this condition has no value: `cluster` is not a name that conditions know",
      "spack.yaml:4:28 NOT_SUPPORTED this condition cannot be evaluated here: `open` is not evaluated here",
      "spack.yaml:5:5 MANIFEST_INVALID `b.yaml` cannot be included: no such file",
      "spack.yaml:6:5 MANIFEST_INVALID `$env/c.yaml` cannot be included: no such file",
      "spack.yaml:7:5 MANIFEST_INVALID the path is empty",
      "spack.yaml:8:5 MANIFEST_INVALID an include from a repository needs a `branch`, `commit` or `tag`",
      "spack.yaml:9:5 MANIFEST_INVALID an include from a repository needs `paths`",
      "spack.yaml:10:5 MANIFEST_INVALID `s3://bucket/x.yaml` cannot be included: `s3:` is not for files",
      "spack.yaml:11:5 MANIFEST_INVALID `foo:x.yaml` cannot be included: `foo:` is not for files",
      "spack.yaml:12:5 MANIFEST_INVALID `https://example.org/x.yaml` cannot be included: Spack wants its `sha256`",
      "spack.yaml:13:5 MANIFEST_INVALID `$spack/etc/x.yaml` cannot be included: `$spack` has no value here",
    ]);
  });

  it("name what is not read, as an error unless it is optional", async () => {
    const remote = `- { path: "https://u:secret@example.org/x.yaml", sha256: abc }
  - { git: "https://example.org/x", tag: t, paths: [p], optional: true }
  - { path: $spack/etc/x.yaml, optional: true }`;
    const { errors, warnings } = await load({
      "spack.yaml": `spack:\n  include:\n  ${remote}\n  specs: [zlib]\n`,
    });
    expect(errors).toEqual([
      "spack.yaml:3:5 NOT_SUPPORTED `https://example.org/x.yaml` is not read: no network is asked while a manifest is read",
    ]);
    expect(warnings).toEqual([
      "spack.yaml:4:5 NOT_SUPPORTED `https://example.org/x` is not read: repositories are not asked here",
      "spack.yaml:5:5 MANIFEST_INVALID `$spack/etc/x.yaml` cannot be included: `$spack` has no value here",
    ]);
  });

  it("replace variables, and one path by another", async () => {
    const site = await load({ "spack.yaml": "spack: {}\n", "defs.yaml": definition("t", "lz4") });
    const { roots, errors } = await load(
      {
        "spack.yaml": `spack:
  include:
  - \${SITE}/defs.yaml
  - ~/mine.yaml
  - { path: nowhere.yaml, path_override_env_var: OTHER }
  - file://$SITE/more.yaml
  - $target_family/a.yaml
  specs: [$t]
`,
        "x86_64/a.yaml": definition("t", "bzip2"),
      },
      {
        machine: machineFor({
          home: site.root,
          environment: { SITE: site.root, OTHER: `${site.root}/other.yaml` },
        }),
      },
    );
    expect(errors).toEqual([
      expect.stringContaining("`~/mine.yaml` cannot be included: no such file"),
      expect.stringContaining("`nowhere.yaml` cannot be included: no such file"),
      expect.stringContaining("`file://$SITE/more.yaml` cannot be included: no such file"),
    ]);
    expect(roots).toBeUndefined();
  });
});

describe("includes of Spack 0.x", () => {
  const old = { dialect: "0.x" } as const;

  it("are plain paths, and what is included does not include", async () => {
    const { errors } = await load(
      {
        "spack.yaml": "spack:\n  include:\n  - { path: a.yaml }\n  specs: [zlib]\n",
        "a.yaml": "",
      },
      old,
    );
    expect(errors).toEqual([
      "spack.yaml:3:5 MANIFEST_INVALID an item of `include` must be text, not a mapping",
    ]);
    const nested = await load(
      { "spack.yaml": "spack:\n  include: [a.yaml]\n  specs: [zlib]\n", "a.yaml": "include: [b.yaml]\n" },
      old,
    );
    expect(nested.errors).toEqual(["a.yaml:1:1 MANIFEST_INVALID `include` cannot stand in an included file"]);
  });

  it("take the less important place of two folders with one name", async () => {
    const { roots, warnings } = await load(
      {
        "spack.yaml": "spack:\n  include: [a/site, x.yaml, b/site]\n  specs: [$t]\n",
        "a/site/definitions.yaml": definition("t", "zlib"),
        "b/site/definitions.yaml": definition("t", "lz4"),
        "x.yaml": definition("t", "hwloc"),
      },
      old,
    );
    expect(roots).toEqual(["hwloc", "zlib"]);
    expect(warnings).toEqual([
      "spack.yaml:2:29 MANIFEST_INVALID `b/site` has no effect: Spack 0.x keeps one folder called `site`",
    ]);
  });
});
