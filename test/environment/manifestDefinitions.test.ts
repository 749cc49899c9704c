import { describe, expect, it } from "vitest";
import { formatSpec } from "../../src/spec/format.ts";
import { problemsOf, read } from "./readManifests.ts";

describe("definitions and matrices", () => {
  const expand = (text: string) => {
    const environment = read(text, { platform: { target: "x86_64_v3", os: "debian12" } });
    return environment.specs.map(({ spec }) => formatSpec(spec, environment.dialect));
  };

  it("expands references, with sigils, to definitions that may refer to others", () => {
    expect(
      expand(`spack:
  definitions:
  - mpis: [mpich, openmpi@4]
  - tools: [hdf5, $more]
    when: platform == "nothing"
  - tools: [cmake]
  - tools: [$mpis]
    when: platform == "linux" and (os == "debian12" or not True)
  specs:
  - $tools
  - matrix: [[hdf5], [$^mpis]]
`),
    ).toEqual(["cmake", "mpich", "openmpi@4", "hdf5 ^mpich", "hdf5 ^openmpi@4"]);
  });

  it("multiplies rows, the last fastest, and leaves out what is excluded", () => {
    expect(
      expand(`spack:
  specs:
  - matrix:
    - [zlib, hdf5]
    - ["@1", "@2"]
    - [+shared, ~shared]
    exclude: [zlib@2, hdf5~shared]
  concretizer: { unify: false }
`),
    ).toEqual(["zlib@1+shared", "zlib@1~shared", "hdf5@1+shared", "hdf5@2+shared"]);
  });

  it("flattens nested matrices", () => {
    expect(
      expand(`spack:
  definitions:
  - inner: [{ matrix: [[hdf5@1], [^mpich@3, ^mpich@4]] }, hdf5@2]
  specs:
  - matrix:
    - [$inner]
    - [+a]
  concretizer: { unify: false }
`),
    ).toEqual(["hdf5@1+a ^mpich@3", "hdf5@1+a ^mpich@4", "hdf5@2+a"]);
    // Spack takes an inner matrix only by its name, and no name in place of a row.
    expect(problemsOf("spack:\n  specs:\n  - matrix: [[{ matrix: [[zlib]] }]]\n")[0]).toMatch(
      /cannot stand in a row/,
    );
    expect(problemsOf("spack:\n  definitions: [{ a: [zlib] }]\n  specs:\n  - matrix: [$a]\n")[0]).toMatch(
      /must be a list \| write \[\$a\]/,
    );
  });

  it("takes little time over references that multiply", () => {
    const lists = Array.from({ length: 60 }, (_, at) =>
      at === 0 ? "{ d0: [zlib, zlib] }" : `{ d${at}: [$d${at - 1}, $d${at - 1}] }`,
    );
    const matrices = Array.from({ length: 60 }, (_, at) =>
      at === 0 ? "{ d0: [zlib] }" : `{ d${at}: [{ matrix: [[$d${at - 1}, $d${at - 1}]] }] }`,
    );
    const chain = Array.from({ length: 5000 }, (_, at) =>
      at === 0 ? "{ d0: [zlib] }" : `{ d${at}: [{ matrix: [[$d${at - 1}]] }] }`,
    );
    const rows = [`{ d0: [${"{ matrix: [[zlib, hdf5]] },".repeat(500)}] }`];
    for (const [definitions, name, problem] of [
      [lists, "d59", /come to more than/],
      [matrices, "d59", /come to more than|too deeply/],
      [chain, "d4999", /nested too deeply/],
      [rows, "d0", /more than/],
    ] as const) {
      const uses = definitions === rows ? `$${name},`.repeat(5000) : `$${name}`;
      const found = problemsOf(
        `spack:\n  definitions: [${definitions.join(", ")}]\n  specs: [${uses}]\n  concretizer: { unify: false }\n`,
      );
      expect(found).toEqual([expect.stringMatching(problem)]);
    }
  });

  it("keeps groups", () => {
    const { specs } = read(
      "spack:\n  specs:\n  - zlib\n  - group: extra\n    specs: [hdf5]\n    needs: [x]\n",
    );
    expect(specs.map(({ text, group }) => [text, group])).toEqual([
      ["zlib", undefined],
      ["hdf5", "extra"],
    ]);
  });

  it("reports what cannot be", () => {
    expect(problemsOf("spack:\n  definitions: [{ compilers: [gcc] }]\n  specs: [$compiler]\n")).toEqual([
      "3:12 MANIFEST_INVALID there is no definition `compiler` | did you mean `compilers`?",
    ]);
    expect(problemsOf("spack:\n  specs:\n  - matrix: [[zlib@1], ['@2']]\n")[0]).toMatch(
      /^3:26 SPEC_CONTRADICTION `zlib@1` and `@2` cannot be combined/,
    );
    expect(problemsOf("spack:\n  specs: [+mpi]\n")).toEqual(["2:11 SPEC_SYNTAX `+mpi` names no package"]);
    expect(problemsOf('spack:\n  definitions:\n  - a: [x]\n    when: __import__("os")\n')[0]).toMatch(
      /^4:11 NOT_SUPPORTED/,
    );
    const row = Array.from({ length: 60 }, (_, i) => `p${i}`).join(", ");
    expect(problemsOf(`spack:\n  specs:\n  - matrix: [[${row}], [${row}], [${row}]]\n`)[0]).toMatch(
      /expands to 216000 specs/,
    );
  });
});

describe("contradictions", () => {
  it("finds specs that their own packages section makes impossible", () => {
    expect(
      problemsOf(`spack:
  specs:
  - zlib@1.3
  - hdf5 ^mpich~slurm
  - bzip2@1
  packages:
    zlib: { require: "@1.2" }
    mpich: { require: [{ any_of: [+slurm, "@5:+slurm"], message: we need slurm }] }
    bzip2: { conflict: ["@:1.0"] , require: "@1.0" }
`),
    ).toEqual([
      "3:5 SPEC_CONTRADICTION `zlib@1.3` contradicts what `packages: zlib` requires: `@1.2` | it is required in line 7",
      "4:5 SPEC_CONTRADICTION `mpich` in `hdf5 ^mpich~slurm` contradicts what `packages: mpich` requires: any of `+slurm`, `@5:+slurm` | we need slurm (line 8)",
    ]);
  });

  it("lets what is said of a package replace what is said of all", () => {
    const text = (own: string) =>
      `spack:\n  specs: [zlib target=x86_64_v2]\n  packages:\n    all: { require: target=x86_64_v3 }\n    zlib: {${own}}\n`;
    expect(problemsOf(text(""))).toHaveLength(1);
    expect(problemsOf(text("require: +pic"))).toEqual([]);
  });

  it("finds roots that one configuration of a package cannot be", () => {
    const text = (unify: string) =>
      `spack:\n  specs: [zlib@1.2, zlib@1.3]\n  concretizer: { unify: ${unify} }\n`;
    expect(problemsOf(text("true"))[0]).toMatch(/^2:21 SPEC_CONTRADICTION `zlib@1.2` and `zlib@1.3`/);
    expect(problemsOf(text("when_possible"))).toEqual([]);
    expect(problemsOf('spack:\n  specs: ["zlib@1.2:", zlib+pic]\n')).toEqual([]);
  });

  it("does not mistake virtuals for packages", () => {
    expect(
      problemsOf("spack:\n  specs: [mpi, hdf5 ^mpi@3]\n  packages:\n    mpi: { require: mpich@4 }\n"),
    ).toEqual([]);
  });
});
