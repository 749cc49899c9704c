import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";
import { concretizeErrors } from "../../src/spack/concretizeErrors.ts";

/** What Spack 1.1.0 says of a manifest, read: place, message, hint. */
function errorsOf(manifest: string, output: string, target?: string): readonly string[] {
  const { environment, errors } = readManifest(manifest, "spack.yaml");
  expect(errors).toEqual([]);
  if (environment === undefined) throw new Error("no environment");
  return concretizeErrors(output, environment, target).map(
    ({ code, message, place, hint }) =>
      `${place.line ?? "-"}:${place.column ?? "-"} ${code} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );
}

describe("concretizeErrors", () => {
  it("gives the line of the spec whose version there is not, once", () => {
    const output = `==> Error: failed to concretize \`lz4@99\`, \`tree\` for the following reasons:
     1. Cannot satisfy 'lz4@99' 1(1.10.0)
     2. Cannot satisfy 'lz4@99' 4(1.10.0)
        required because lz4@99 requested explicitly 
`;
    expect(errorsOf("spack:\n  specs:\n  - tree\n  - lz4@99\n", output)).toEqual([
      "4:5 NO_SOLUTION Spack finds no solution: Cannot satisfy 'lz4@99' | lz4@99 requested explicitly",
    ]);
  });

  it("gives the line of what contradicts a requirement", () => {
    const output = `==> Error: failed to concretize \`lz4\`, \`ncurses@6.5\` for the following reasons:
     1. Cannot satisfy 'ncurses@6.5' 1(6.4)
     2. Cannot satisfy 'ncurses@6.4' and 'ncurses@6.5'
        required because ncurses@6.5 requested explicitly 
        required because @6.4 is a requirement for package ncurses 
          required because ncurses@6.5 requested explicitly . You could consider setting \`concretizer:unify\` to \`when_possible\` or \`false\` to allow multiple versions of some packages.
`;
    expect(errorsOf("spack:\n  specs:\n  - lz4\n  - ncurses@6.5\n", output)).toEqual([
      "4:5 NO_SOLUTION Spack finds no solution: Cannot satisfy 'ncurses@6.5'",
      "4:5 NO_SOLUTION Spack finds no solution: Cannot satisfy 'ncurses@6.4' and 'ncurses@6.5' | ncurses@6.5 requested explicitly, @6.4 is a requirement for package ncurses, ncurses@6.5 requested explicitly",
    ]);
  });

  it("knows a spec by its package, however Spack writes it", () => {
    const output = `==> Error: failed to concretize \`hdf5@1.10.8+mpi ^mpich@4.0.2\` for the following reasons:
     1. hdf5: '+mpi' conflicts with '^mpich@4.0:4.0.3'
     2. hdf5: '+mpi' conflicts with '^mpich@4.0:4.0.3'
        required because conflict is triggered when +mpi 
          required because hdf5@1.10.8+mpi ^mpich@4.0.2 requested explicitly 
`;
    expect(errorsOf("spack:\n  specs: [tree, hdf5@1.10.8 +mpi ^mpich@4.0.2]\n", output)).toEqual([
      "2:17 NO_SOLUTION Spack finds no solution: hdf5: '+mpi' conflicts with '^mpich@4.0:4.0.3' | conflict is triggered when +mpi, hdf5@1.10.8+mpi ^mpich@4.0.2 requested explicitly",
    ]);
    expect(
      errorsOf(
        "spack:\n  specs:\n  - lz4 +nosuchvariant\n",
        "==> Error: No such variant {'nosuchvariant'} for spec: 'lz4+nosuchvariant'\n",
      ),
    ).toEqual(["3:5 NO_SOLUTION Spack: No such variant {'nosuchvariant'} for spec: 'lz4+nosuchvariant'"]);
    expect(
      errorsOf(
        "spack:\n  specs:\n  - zlib-nosuch\n",
        "==> Error: cannot concretize 'zlib-nosuch', since 'zlib-nosuch' does not exist\n",
      ),
    ).toEqual(["3:5 NO_SOLUTION Spack: cannot concretize 'zlib-nosuch', since 'zlib-nosuch' does not exist"]);
  });

  it("takes the only spec that was tried for what a reason without a name is about, else the manifest", () => {
    const output = (specs: string) => `==> Error: failed to concretize ${specs} for the following reasons:
     1. Only external, or concrete, compilers are allowed for the c language
`;
    const message =
      "NO_SOLUTION Spack finds no solution: Only external, or concrete, compilers are allowed for the c language";
    expect(errorsOf("spack:\n  specs:\n  - tree\n  - lz4   %clang\n", output("`lz4 %clang`"))).toEqual([
      `4:5 ${message}`,
    ]);
    expect(errorsOf("spack:\n  specs:\n  - tree\n  - lz4 %clang\n", output("`tree`, `lz4 %clang`"))).toEqual([
      `-:- ${message}`,
    ]);
  });

  it("points to what the manifest says of a package", () => {
    const output = `==> Error: failed to concretize \`tree\` for the following reasons:
     1. Cannot build gettext, since it is configured \`buildable:false\`
`;
    expect(
      errorsOf("spack:\n  specs:\n  - tree\n  packages:\n    gettext:\n      buildable: false\n", output)[0],
    ).toMatch(/^5:5 NO_SOLUTION/);
  });

  it("names the requirement that cannot be met, with its line", () => {
    const output = `==> Error: failed to concretize \`hdf5+mpi\` for the following reasons:
     1. cannot satisfy a requirement for package 'hdf5'.
`;
    const message = "NO_SOLUTION Spack finds no solution: cannot satisfy a requirement for package 'hdf5'.";
    const specs = "spack:\n  specs: [hdf5+mpi]\n  packages:\n";
    expect(errorsOf(`${specs}    all: { require: "%clang" }\n`, output, "x86_64_v3")).toEqual([
      `4:22 ${message} | \`packages: all: require:\` demands \`%clang\``,
    ]);
    const own = `${specs}    all: { require: "%gcc" }\n    hdf5: { require: [{ one_of: ["@1.10", "@1.12"] }] }\n`;
    expect(errorsOf(own, output)[0]).toMatch(
      /^5:\d+ .* \| `packages: hdf5: require:` demands `@1.10` or `@1.12`$/,
    );
    expect(errorsOf(specs.replace("  packages:\n", ""), output, "x86_64_v3")[0]).toMatch(
      /^2:11 .*\| all packages are built for x86_64_v3, unless/,
    );
  });

  it("names the target that all packages are built for", () => {
    const output = `==> Error: failed to concretize \`zlib@1.3.1 target=x86_64_v4\` for the following reasons:
     1. Cannot select a single "node_target" for package "zlib"
     2. 'zlib target=x86_64_v3' cannot satisfy constraint 'target=x86_64_v4:'
`;
    const manifest = "spack:\n  specs: [tree, zlib@1.3.1 target=x86_64_v4]\n";
    for (const error of errorsOf(manifest, output, "x86_64_v3"))
      expect(error).toMatch(
        /^2:17 .* \| all packages are built for x86_64_v3, unless `packages: all: require:`/,
      );
    for (const error of errorsOf(manifest, output)) expect(error).not.toContain(" | ");
  });

  it("names the external packages that are the only ones allowed", () => {
    const output = `==> Error: failed to concretize \`tree\`, \`libffi@3.4.8\` for the following reasons:
     1. Cannot satisfy 'libffi@3.4.8' 1(3.2.1)
     2. Cannot satisfy 'libffi@3.4.8'
        required because libffi@3.4.8 requested explicitly 
`;
    const manifest = `spack:
  specs: [tree, libffi@3.4.8]
  packages:
    libffi: { buildable: false, externals: [{ spec: libffi@3.2.1, prefix: /usr }] }
`;
    expect(errorsOf(manifest, output)).toEqual([
      "4:5 NO_SOLUTION Spack finds no solution: Cannot satisfy 'libffi@3.4.8' | libffi@3.4.8 requested explicitly, `packages: libffi:` has `buildable: false`: only `libffi@3.2.1` may be used",
    ]);
    expect(errorsOf(manifest.replace(/, externals.*]/, ""), output)[0]).toMatch(
      /no external package is named$/,
    );
  });

  it("says something in any case", () => {
    expect(errorsOf("spack:\n  specs: [tree]\n", "")).toEqual([
      "-:- PROCESS_FAILED Spack could not concretize: ",
    ]);
    expect(errorsOf("spack:\n  specs: [tree]\n", "Traceback\nMemoryError\n")).toEqual([
      "-:- PROCESS_FAILED Spack could not concretize: MemoryError",
    ]);
  });
});
