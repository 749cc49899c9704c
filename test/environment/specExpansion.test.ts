import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";
import type { Dialect } from "../../src/spec/abstract.ts";
import { formatSpec } from "../../src/spec/format.ts";

function read(text: string, dialect: Dialect) {
  const { environment, errors } = readManifest(
    `spack:\n${text}  concretizer: { unify: false }\n`,
    "spack.yaml",
    { dialect },
  );
  return {
    roots: environment?.specs.map((spec) => spec.text),
    meaning: environment?.specs.map(({ spec }) => formatSpec(spec, dialect)),
    errors: errors.map(({ code, message, place }) => `${place.line}:${place.column} ${code} ${message}`),
  };
}

describe("exclusions of matrices", () => {
  // What Spack 0.23.0 makes of them: a recipe says that a written value is the only one.
  it.each([
    [
      "a value",
      "[[ring~mpi], [model=plain, model=hippocampus, model=neocortex]]\n    exclude: [ring~mpi model=neocortex]",
      ["ring~mpi model=plain", "ring~mpi model=hippocampus"],
    ],
    [
      "values of several variants",
      "[[ring], ['@2.0.3 model=hippocampus', '@1.4.2 features=plot', '@2.1.0 model=plain']]\n    exclude: ['model=hippocampus', '@1.5: features=plot']",
      ["ring@1.4.2 features=plot", "ring@2.1.0 model=plain"],
    ],
    [
      "one of several values",
      "[[ring], ['features=trace,stats', features=plot]]\n    exclude: [features=stats]",
      ["ring features=plot"],
    ],
    [
      "booleans",
      "[[ring@1, ring@2], [+mpi, ~mpi]]\n    exclude: [ring@1 +mpi]",
      ["ring@1~mpi", "ring@2+mpi", "ring@2~mpi"],
    ],
    [
      "compilers",
      "[[zlib, lz4], ['%gcc@12', '%clang']]\n    exclude: ['%clang', lz4%gcc@12]",
      ["zlib%gcc@12"],
    ],
  ])("leave out %s (0.x)", (_, matrix, roots) => {
    expect(read(`  specs:\n  - matrix: ${matrix}\n`, "0.x")).toMatchObject({ roots, errors: [] });
  });

  it("name lists of what is excluded in 0.x only", () => {
    const text =
      "  definitions: [{ bad: [zlib] }]\n  specs:\n  - matrix: [[zlib, lz4]]\n    exclude: [$bad]\n";
    expect(read(text, "0.x").roots).toEqual(["lz4"]);
    expect(read(text, "1.x").errors).toEqual([expect.stringMatching(/^5:15 SPEC_SYNTAX/)]);
  });

  it("take toolchains for names (1.x)", () => {
    const toolchains =
      "  toolchains: { gnu: [{ spec: '%c=gcc', when: '%c' }], other: [{ spec: '%c=llvm', when: '%c' }] }\n";
    const text = `${toolchains}  specs:\n  - matrix: [[lz4, zlib], ['%gnu', '%other', '%c=gcc']]\n    exclude: ['lz4 %other', 'zlib %c=gcc', 'zlib %gcc']\n`;
    const { roots, meaning } = read(text, "1.x");
    expect(roots).toEqual(["lz4 %gnu", "lz4 %c=gcc", "zlib %gnu", "zlib %other"]);
    expect(meaning?.[0]).toBe("lz4 %[when='%c'] c=gcc");
  });

  it("are read only where there is something to exclude from", () => {
    expect(read("  specs:\n  - matrix: [[zlib], []]\n    exclude: ['@@']\n", "1.x")).toMatchObject({
      roots: [],
      errors: [],
    });
  });
});

describe("matrices in matrices", () => {
  const nested = (rows: string) =>
    `  definitions: [{ inner: [{ matrix: ${rows} }] }]\n  specs: [{ matrix: [[$inner], [+b]] }]\n`;

  it("are written out before they are read again", () => {
    expect(read(nested("[[zlib@1], [+a, '']]"), "1.x").roots).toEqual(["zlib@1+a+b", "zlib@1+b"]);
    // Alone, the two constraints would be one.
    expect(read(nested("[[zlib@1], ['@1']]"), "1.x").errors[0]).toMatch(/two versions/);
    expect(read("  specs: [{ matrix: [[zlib@1], ['@1']] }]\n", "1.x").roots).toEqual(["zlib@1"]);
  });
});

describe("matrices that Spack does not take", () => {
  it.each([
    ["- matrix: []", "3:5 MANIFEST_INVALID a matrix must have rows"],
    ["- exclude: []", "3:5 MANIFEST_INVALID this mapping is neither a matrix nor a group"],
    ["- matrix: [[zlib]]\n    foo: 1", "4:5 MANIFEST_INVALID unknown key `foo` in a matrix"],
    ["- [zlib]", "3:5 MANIFEST_INVALID a spec must be text, not a list"],
    [
      "- matrix: [[zlib], [lz4]]",
      "3:23 SPEC_CONTRADICTION `zlib` and `lz4` cannot be combined: zlib is not lz4",
    ],
  ])("%s", (item, problem) => {
    for (const dialect of ["0.x", "1.x"] as const)
      expect(read(`  specs:\n  ${item}\n`, dialect).errors[0]).toContain(problem.slice(0, 40));
  });

  it("cannot set variants of no package", () => {
    const text =
      "  definitions:\n  - c: [{ matrix: [['%gcc'], [+shared, ~shared]] }]\n  specs: [{ matrix: [[zlib], [$c]] }]\n";
    expect(read(text, "1.x").errors[0]).toMatch(/^3:9 MANIFEST_INVALID .*sets variants of no package/);
    const fine =
      "  definitions:\n  - c: [{ matrix: [[gcc], ['@12', '@11']] }]\n  specs: [{ matrix: [[zlib], [$%c]] }]\n";
    expect(read(fine, "1.x").roots).toEqual(["zlib %gcc@12", "zlib %gcc@11"]);
  });

  it("take an empty text in a row for no further constraint", () => {
    for (const dialect of ["0.x", "1.x"] as const)
      expect(read("  specs:\n  - matrix: [[zlib], ['', +shared]]\n", dialect).roots).toEqual([
        "zlib",
        "zlib+shared",
      ]);
  });

  it("leave empty items out in 0.x, and name no package in 1.x", () => {
    expect(read("  specs: [zlib, null, '']\n", "0.x").roots).toEqual(["zlib"]);
    expect(read("  specs: [zlib, null, '']\n", "1.x").errors).toEqual([
      "2:17 SPEC_SYNTAX this item is empty: it names no package",
      "2:24 SPEC_SYNTAX this item is empty: it names no package",
    ]);
  });
});
