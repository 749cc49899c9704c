import { describe, expect, it } from "vitest";
import { defaultConfiguration, readConfiguration } from "../../src/definitions/configuration.ts";
import { isRemoteAddress } from "../../src/definitions/spackConfiguration.ts";
import { checkConfiguration } from "../../src/pipeline/workspace/checkConfiguration.ts";

const read = (text: string) => readConfiguration(text, "/repo/spacktainers.yaml");
const spackOf = (text: string) => {
  const { configuration, problems } = read(text);
  expect(problems.errors).toEqual([]);
  return configuration?.spack;
};
const problemsOf = (text: string) =>
  read(text).problems.errors.map(
    ({ place, message, hint }) =>
      `${place.line}:${place.column} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );

describe("spack:", () => {
  it("says nothing by default: no source, no recipes, and nothing is built", () => {
    expect(defaultConfiguration("/repo").spack).toMatchObject({
      build: false,
      source: undefined,
      repos: [],
      paddedLength: 128,
      jobs: undefined,
      compilers: [],
      externals: [],
    });
  });

  it("allows building once it says anything about how, unless it says not to", () => {
    expect(spackOf("spack: {dialect: 1.x}")?.build).toBe(false);
    expect(spackOf("spack: {ref: v1.1.0}")?.build).toBe(true);
    expect(spackOf("spack: {jobs: 4}")?.build).toBe(true);
    expect(spackOf("spack: {build: true}")?.build).toBe(true);
    expect(spackOf("spack: {ref: v1.1.0, build: false}")?.build).toBe(false);
  });

  it("reads everything, with paths from the file's folder and addresses as they are", () => {
    const spack = spackOf(`spack:
  url: ../spack
  commit: abcdef6789012345678901234567890123456789
  repos:
    - recipes
    - { url: https://github.com/org/recipes.git, ref: develop, path: repos/a }
    - { url: git@host:org/more.git, commit: abcdef6789012345678901234567890123456789, paths: [b, c] }
  mirrors: [sources, "s3://bucket/sources"]
  wheels: wheels
  padded_length: 256
  jobs: 8
  compilers: [gcc@12, clang]
  externals: [opengl, { spec: cmake@3.25.1, prefix: /usr }]
`);
    expect(spack).toMatchObject({
      build: true,
      source: {
        url: "/spack",
        ref: undefined,
        commit: "abcdef6789012345678901234567890123456789",
        place: { line: 2 },
      },
      repos: [
        { url: "/repo/recipes", ref: undefined, commit: undefined, paths: [""], place: { line: 5 } },
        { url: "https://github.com/org/recipes.git", ref: "develop", paths: ["repos/a"] },
        { url: "git@host:org/more.git", paths: ["b", "c"] },
      ],
      mirrors: ["file:///repo/sources", "s3://bucket/sources"],
      wheels: "/repo/wheels",
      paddedLength: 256,
      jobs: 8,
      compilers: [{ text: "gcc@12" }, { text: "clang" }],
      externals: [
        { kind: "find", name: "opengl" },
        { kind: "given", spec: { text: "cmake@3.25.1", place: { line: 13 } }, prefix: "/usr" },
      ],
    });
  });

  it("refuses what it does not know, with the nearest name and the place", () => {
    expect(problemsOf("spack:\n  padded_lenght: 128\n")).toEqual([
      "2:3 unknown key `padded_lenght` in `spack` | did you mean `padded_length`?",
    ]);
    expect(problemsOf("spack: {repos: [{url: a, branch: main}]}")[0]).toContain("unknown key `branch`");
    expect(problemsOf("spack: {commit: abc}")[0]).toContain("must be the 40 hexadecimal digits");
    expect(problemsOf("spack: {url: --upload-pack=x}")[0]).toContain(
      "must be the address of a git repository",
    );
    expect(problemsOf("spack: {url: 'ext::sh -c id'}")[0]).toContain(
      "must be the address of a git repository",
    );
    expect(problemsOf("spack: {ref: '-x'}")[0]).toContain("must be the name of a branch or tag");
    expect(problemsOf("spack: {repos: [{url: a, path: ../b}]}")[0]).toContain("must be a folder inside");
    expect(problemsOf("spack: {externals: [{spec: cmake, prefix: usr}]}")[0]).toContain(
      "must be an absolute path",
    );
    expect(problemsOf("spack: {url: 'https://me:secret@example.org/spack.git'}")[0]).toContain(
      "must not carry a password",
    );
  });

  it("refuses compilers and externals that are no specs of packages", () => {
    const { configuration } = read(
      "spack:\n  compilers: [gcc@12, '@12']\n  externals: [{spec: 'cmake@', prefix: /usr}]\n",
    );
    if (configuration === undefined) throw new Error("no configuration");
    const found = checkConfiguration(configuration).map(
      ({ place, message }) => `${place.line}:${place.column} ${message}`,
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toBe("2:23 `@12` does not name a package");
    expect(found[1]).toMatch(/^3:\d+ /);
  });

  it("knows other machines by their addresses", () => {
    for (const address of ["https://h/r", "ssh://h/r", "git@h:r", "s3://b"])
      expect(isRemoteAddress(address)).toBe(true);
    for (const address of ["../r", "/r", "file:///r", "r/s"]) expect(isRemoteAddress(address)).toBe(false);
  });
});
