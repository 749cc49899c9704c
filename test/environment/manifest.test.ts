import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";
import { formatSpec } from "../../src/spec/format.ts";
import { problemsOf, read } from "./readManifests.ts";

describe("readManifest", () => {
  it("reads specs with their places", () => {
    const { specs } = read(`spack:
  specs:
  - 'hdf5@1.14: +mpi'
  - "zlib ~shared"
  -
  - null
`);
    expect(specs.map(({ text, place }) => [text, place.line, place.column])).toEqual([
      ["hdf5@1.14: +mpi", 3, 6],
      ["zlib ~shared", 4, 6],
    ]);
    expect(specs[0]?.spec.variants.get("mpi")?.values).toEqual([true]);
  });

  it("has Spack's defaults", () => {
    const environment = read("spack:\n  specs: [zlib]\n");
    expect(environment.concretizer).toEqual({ unify: true, granularity: undefined, reuse: [] });
    expect(environment.views).toHaveLength(1);
    expect(environment.views[0]).toMatchObject({
      name: "default",
      root: undefined,
      link: "all",
      linkType: "symlink",
    });
  });

  it("reads everything that matters to an image", () => {
    const environment = read(
      `
spack:
  specs: [hdf5, zlib]
  concretizer:
    unify: when_possible
    reuse: { roots: true, from: [{ type: buildcache }] }
    targets: { granularity: generic }
  packages:
    all:
      require: target=x86_64_v3
      target: [x86_64_v3]
      compiler: [gcc@12]
      providers: { mpi: [mpich@4, openmpi] }
      variants: +pic
    zlib:
      require:
      - "@1.3"
      - any_of: [+shared, "@1.3.1"]
        when: +pic
        message: must be shared
      - one_of: ["%gcc", "%clang"]
      prefer: [+optimize, { spec: "@1.3.1", when: "%gcc" }]
      conflict: [{ spec: ~pic, message: no }]
      variants: [+optimize, +shared]
      version: ["1.3.1", 1.3]
      buildable: false
      externals: [{ spec: zlib@1.2, prefix: /usr, extra_attributes: { anything: x } }]
  view:
    main:
      root: /opt/view
      link: run
      link_type: hard
      select: [hdf5]
      exclude: ["^zlib"]
      projections: { zlib: "z/{version}", all: "{name}" }
  config:
    install_tree: { root: /opt/software, padded_length: 128, projections: { all: "{name}-{hash}" } }
    install_hash_length: 7
    build_jobs: 8
  mirrors:
    one: s3://user:secret@bucket
    two: { url: "https://example.org/x?token=1", signed: false, binary: true }
  env_vars:
    set: { A: b, N: 3 }
    unset: [C]
    prepend_path: { PATH: /x }
  modules: {}
  repos: [ /r ]
  ci: { anything: [1] }
`,
      { dialect: "1.x" },
    );
    expect(environment.concretizer).toEqual({ unify: "when_possible", granularity: "generic", reuse: [] });
    expect(environment.all.targets.map(({ text }) => text)).toEqual(["x86_64_v3"]);
    expect(environment.all.providers.get("mpi")?.map(({ text }) => text)).toEqual(["mpich@4", "openmpi"]);
    const zlib = environment.packages.get("zlib");
    expect(
      zlib?.require.map(({ policy, options, when, message }) => [
        policy,
        options.map(({ text }) => text),
        when?.text,
        message,
      ]),
    ).toEqual([
      ["one_of", ["@1.3"], undefined, undefined],
      ["any_of", ["+shared", "@1.3.1"], "+pic", "must be shared"],
      ["one_of", ["%gcc", "%clang"], undefined, undefined],
    ]);
    expect(zlib?.prefer.map(({ spec, when }) => [spec.text, when?.text])).toEqual([
      ["+optimize", undefined],
      ["@1.3.1", "%gcc"],
    ]);
    expect(zlib?.conflict[0]).toMatchObject({ message: "no" });
    expect(zlib?.versions.map(({ text }) => text)).toEqual(["1.3.1", "1.3"]);
    expect(zlib?.buildable).toBe(false);
    expect(zlib?.externals[0]).toMatchObject({ prefix: "/usr" });
    expect(environment.views).toMatchObject([
      { name: "main", root: "/opt/view", link: "run", linkType: "hardlink" },
    ]);
    expect(environment.views[0]?.projections.map(({ spec, format }) => [spec?.text, format])).toEqual([
      ["zlib", "z/{version}"],
      [undefined, "{name}"],
    ]);
    expect(environment.config).toMatchObject({
      installTree: { root: "/opt/software", place: { line: 37 } },
      paddedLength: 128,
      installHashLength: 7,
    });
    expect(environment.mirrors).toMatchObject([
      { name: "one", url: "s3://bucket", signed: true },
      { name: "two", url: "https://example.org/x", signed: false },
    ]);
    expect(environment.environmentVariables).toEqual([
      { action: "set", variable: "A", value: "b" },
      { action: "set", variable: "N", value: "3" },
      { action: "unset", variable: "C", value: "" },
      { action: "prepend_path", variable: "PATH", value: "/x" },
    ]);
  });

  it("knows the specs that YAML takes for mappings", () => {
    expect(problemsOf("spack:\n  specs:\n  - hdf5@1.14: +mpi\n  - zlib@1:\n")).toEqual([
      '3:5 MANIFEST_INVALID YAML takes this spec for a mapping, because of the colon | quote it: "hdf5@1.14: +mpi"',
      '4:5 MANIFEST_INVALID YAML takes this spec for a mapping, because of the colon | quote it: "zlib@1:"',
    ]);
  });

  it("warns of a missing space after a value", () => {
    const { warnings } = readManifest(
      "spack:\n  specs: [a model=x+mpi, b cxxstd=c++17, c model=x +mpi]\n",
      "f",
    );
    expect(warnings.map(({ message, hint }) => `${message} | ${hint}`)).toEqual([
      "`model=x+mpi` is one value | for the variant `+mpi`, put a space before it",
    ]);
  });

  it("loses a colon at the end of a text without an @, as Spack does, and says so", () => {
    const { environment, warnings } = readManifest(
      `spack:
  specs: ["zlib target=zen2:", "xz@5:", "lz4@: target=zen2:"]
  packages:
    hdf5:
      require: ["target=x86_64_v2:"]
  view:
    v: { root: v, projections: { "zlib@1.2:": "z", zlib: "y" } }
`,
      "f",
    );
    expect(environment?.specs.map(({ spec }) => formatSpec(spec, "1.x"))).toEqual([
      "zlib target=zen2",
      "xz@5:",
      "lz4 target=zen2:",
    ]);
    expect(environment?.packages.get("hdf5")?.require[0]?.options[0]?.spec.arch?.target).toBe("x86_64_v2");
    expect(environment?.views[0]?.projections.map(({ spec }) => spec?.text)).toEqual(["zlib@1.2:", "zlib"]);
    expect(
      warnings.map(({ place, message, hint }) => `${place.line}:${place.column} ${message} | ${hint}`),
    ).toEqual([
      "2:28 to Spack, `zlib target=zen2:` is `zlib target=zen2`: without an @ in it, a text loses a colon at its end | for a range, write `zlib@: target=zen2:`",
      "5:34 to Spack, `target=x86_64_v2:` is `target=x86_64_v2`: without an @ in it, a text loses a colon at its end | for a range, write `@: target=x86_64_v2:`",
    ]);
  });

  it("reads all forms of view", () => {
    const view = (text: string) =>
      read(`spack:\n  view: ${text}\n`).views.map(({ name, root }) => [name, root]);
    expect(view("true")).toEqual([["default", undefined]]);
    expect(view("false")).toEqual([]);
    expect(view("/opt/view")).toEqual([["default", "/opt/view"]]);
    expect(view("{ a: { root: a }, b: { root: b } }")).toEqual([
      ["a", "a"],
      ["b", "b"],
    ]);
  });

  it("reports every problem in one run, in order", () => {
    expect(
      problemsOf(`spack:
  specs:
  - zlib@1.2@1.3
  - hdf5 +
  - 42
  pakcages:
    all: {}
  packages:
    zlib:
      requires: "@1.2"
      require:
      - any_of: "+shared"
    all:
      version: ["1"]
  concretizer:
    unify: when-possible
    reuse: yes
  view:
    main: { link: some }
  config: [1]
`).map((problem) => problem.replace(/ \|.*/, "")),
    ).toEqual([
      expect.stringMatching(/^3:13 SPEC_SYNTAX /),
      expect.stringMatching(/^4:10 SPEC_SYNTAX |^4:11 SPEC_SYNTAX /),
      "5:5 MANIFEST_INVALID a spec must be text, not the number `42`",
      "6:3 MANIFEST_INVALID unknown key `pakcages` in `spack`",
      "10:7 MANIFEST_INVALID unknown key `requires` in `packages: zlib`",
      "12:17 MANIFEST_INVALID `any_of` must be a list, not `+shared`",
      "14:7 MANIFEST_INVALID `version` cannot be set for all packages",
      "16:12 MANIFEST_INVALID `unify` must be one of true, false, when_possible, not `when-possible`",
      "17:12 MANIFEST_INVALID `reuse` must be one of true, false, dependencies, not `yes`",
      "19:5 MANIFEST_INVALID the view `main` has no `root`",
      "19:19 MANIFEST_INVALID `link` must be one of all, run, roots, not `some`",
      "20:11 MANIFEST_INVALID `config` must be a mapping, not a list",
    ]);
    expect(problemsOf("spack:\n  pakcages: {}\n")[0]).toMatch(/did you mean `packages`\?/);
  });

  it("points at the character of a spec, quoted or not", () => {
    for (const [text, column] of [
      ["  - zlib@1.2@1.3", 13],
      ["  - 'zlib@1.2@1.3'", 14],
    ] as const)
      expect(problemsOf(`spack:\n  specs:\n${text}\n`)[0]).toMatch(new RegExp(`^3:${column} SPEC_SYNTAX`));
  });

  it("says what a manifest must begin with", () => {
    expect(problemsOf("specs: [zlib]\n")).toEqual([
      "1:1 MANIFEST_INVALID the manifest does not begin with `spack:`",
    ]);
    expect(problemsOf("env:\n  specs: []\n")[0]).toMatch(/write `spack:`/);
    expect(problemsOf("")[0]).toMatch(/the manifest is empty/);
    expect(problemsOf("- a\n")[0]).toMatch(/must be a mapping/);
    expect(read("spack:\n").specs).toEqual([]);
  });

  it("does not take an unquoted version for what it is not", () => {
    for (const [text, number] of [
      ["1.10", "1.1"],
      ["0.180", "0.18"],
      ["1e3", "1000.0"],
      ["010", "10"],
    ])
      expect(problemsOf(`spack:\n  packages: { zlib: { version: [${text}] } }\n`)[0]).toBe(
        `2:33 MANIFEST_INVALID unquoted, \`${text}\` is the number ${number}, not a version | write "${text}"`,
      );
    const { packages } = read("spack:\n  packages: { zlib: { version: [7.0, 1.9, 2, '1.10'] } }\n");
    expect(packages.get("zlib")?.versions.map(({ text }) => text)).toEqual(["7.0", "1.9", "2", "1.10"]);
  });

  it("warns of variables that Spack takes for other numbers than are written", () => {
    const { environment, warnings } = readManifest(
      "spack:\n  env_vars:\n    set: { A: 1.10, B: 4, C: 7.0, D: '1.10' }\n",
      "spack.yaml",
    );
    expect(environment?.environmentVariables.map(({ value }) => value)).toEqual(["1.10", "4", "7.0", "1.10"]);
    expect(warnings.map(({ message, place }) => [place.column, message])).toEqual([
      [15, "`A` becomes `1.10` here; to Spack, without quotes, it is the number 1.1"],
    ]);
  });

  it("warns of names that no package can have", () => {
    const { environment, errors, warnings } = readManifest(
      "spack:\n  packages:\n    'lwgrp,': { require: +x }\n    zlib@1.2: { variants: +y }\n    zlib+: { require: +z }\n    zlib: { require: +pic }\n",
      "spack.yaml",
    );
    expect(errors).toEqual([]);
    expect(warnings.map(({ message, place }) => [place.line, message])).toEqual([
      [3, "`lwgrp,` has no effect: no package can have this name"],
      [4, "`zlib@1.2` has no effect: no package can have this name"],
      [5, "`zlib+` has no effect: no package can have this name"],
    ]);
    expect([...(environment?.packages.keys() ?? [])]).toEqual(["zlib"]);
  });

  it("takes the old name of projections for what it is (0.x)", () => {
    const { config } = read(
      "spack:\n  config:\n    install_path_scheme: '{name}/{hash}'\n    install_tree: { root: /x, projections: { zlib: z } }\n",
      { dialect: "0.x" },
    );
    expect(config.projections.map(({ spec, format }) => [spec?.text, format])).toEqual([
      ["zlib", "z"],
      [undefined, "{name}/{hash}"],
    ]);
  });

  it("names settings that have no effect", () => {
    const { warnings } = readManifest(
      `spack:
  modules: { default: { prefix_inspections: { bin: [PATH] }, enable: [tcl] } }
  concretizer: { splice: { automatic: true }, timeout: 3 }
  packages: { all: { permissions: { read: group } }, zlib: { permissions: { group: g } } }
  view: { default: { root: a }, other: { root: b } }
`,
      "spack.yaml",
    );
    expect(
      warnings.map(({ message, place, code }) => `${place.line}:${place.column} ${code} ${message}`),
    ).toEqual([
      "2:25 NOT_SUPPORTED these `prefix_inspections` have no effect: they are for module files, which are not made",
      "3:18 NOT_SUPPORTED packages are not spliced while they are chosen from caches",
      "4:22 NOT_SUPPORTED `permissions` has no effect: files keep those that they were built with",
      "4:62 NOT_SUPPORTED `permissions` has no effect: files keep those that they were built with",
      "5:33 NOT_SUPPORTED an image has one view, `default`: the view `other` is not made",
    ]);
  });

  it("chooses the generation of the spec language in which the specs are valid", () => {
    expect(read("spack:\n  specs: ['zlib %c=gcc']\n").dialect).toBe("1.x");
    expect(read("spack:\n  specs: [zlib]\n", { dialect: "0.x" }).dialect).toBe("0.x");
    expect(problemsOf("spack:\n  specs: ['zlib %c=gcc']\n", { dialect: "0.x" })).toHaveLength(1);
  });

  it("does not know sections of another generation", () => {
    expect(problemsOf("spack:\n  env_vars: { set: { A: b } }\n", { dialect: "0.x" })).toEqual([
      "2:3 MANIFEST_INVALID Spack 0.x has no section `env_vars` | the manifest is read as of Spack 0.x; `spack: dialect: 1.x` of spacktainers.yaml says otherwise",
    ]);
    expect(read("spack:\n  env_vars: { set: { A: b } }\n").dialect).toBe("1.x");
  });

  it("knows no `+:` and `-:`, as Spack does not in files", () => {
    for (const text of ["specs+: [zlib]", "specs: [zlib]\n  packages: { zlib: { require-: [+shared] } }"])
      expect(problemsOf(`spack:\n  ${text}\n`).join()).toMatch(/unknown key .*Spack's command line/);
  });

  it("knows a key that is there twice, whatever it says about merging", () => {
    expect(
      problemsOf("spack:\n  packages:\n    zlib: { require: +a }\n    zlib::\n      require: +b\n"),
    ).toEqual(["4:5 MANIFEST_INVALID the key `zlib` is there twice | remove one of them"]);
  });

  it("says whether there are includes, and does not follow them", () => {
    expect(readManifest("spack:\n  include: [nowhere.yaml]\n", "f")).toMatchObject({
      includes: true,
      errors: [],
    });
    expect(readManifest("spack:\n  specs: [zlib]\n", "f").includes).toBe(false);
  });

  it("never throws", () => {
    const word = fc.constantFrom(
      "spack",
      "specs",
      "packages",
      "all",
      "require",
      "matrix",
      "zlib",
      "+mpi",
      "$x",
      "any_of",
      "view",
      "1.2",
      "true",
      "^",
      "@",
      "[",
      "]",
      "{",
      "}",
      ":",
      ": ",
      "\n",
      "\n  ",
      "\n    ",
      "- ",
      ",",
      "'",
      '"',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        for (const { place } of readManifest(`spack:\n  ${words.join("")}`, "f").errors)
          expect(place.file).toBe("f");
      }),
      { numRuns: 300 },
    );
  });
});
