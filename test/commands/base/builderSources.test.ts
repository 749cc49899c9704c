import { describe, expect, it } from "vitest";
import { builderSources } from "../../../src/commands/base/builderSources.ts";
import { defaultConfiguration } from "../../../src/definitions/configuration.ts";
import { completeSpack, type SpackSection } from "../../../src/definitions/spackConfiguration.ts";

const sourcesOf = (section: SpackSection) =>
  builderSources(
    {
      spack: completeSpack(
        section,
        (path) => (path.startsWith("/") ? path : `/repository/${path}`),
        () => ({}),
      ),
      platforms: defaultConfiguration("/repository").platforms,
    },
    "amd64",
  );

describe("builderSources", () => {
  it("names the default Spack and recipes by their commits", () => {
    const { arguments: values, handed, wheels, left } = sourcesOf({});
    expect(Object.fromEntries(values)).toEqual({
      SPACK_URL: "https://github.com/spack/spack.git",
      SPACK_BRANCH: "2e907202bcc8209a6a62243aab50c179b524cc3b",
      BUILTIN_REPO:
        "https://github.com/spack/spack-packages.git@119680aeee8ea802c6111b7167583bddef97e82f:repos/spack_repo/builtin",
      REPOS: "",
      TARGET: "x86_64_v3",
      PADDED_LENGTH: "128",
    });
    expect([handed, wheels, left]).toEqual([[], undefined, []]);
  });

  it("hands over what the image cannot fetch: folders, and repositories that need a password or a key", () => {
    const { arguments: values, handed } = sourcesOf({
      url: "https://me:secret@example.invalid/spack.git",
      ref: "v1.1.0",
      repos: [
        "recipes/spack_repo/mine",
        { url: "file:///srv/git/packages.git", ref: "main", path: "spack_repo/theirs" },
        { url: "git@example.invalid:ours.git", commit: "a".repeat(40), paths: ["x", "y"] },
        { url: "https://example.invalid/public.git", ref: "main", path: "z" },
      ],
    });
    expect(values.get("SPACK_URL")).toBe("context:spack");
    expect(values.get("REPOS")?.split(" ")).toEqual([
      "context:repos/1@:spack_repo/mine",
      "context:repos/2@:git/packages.git/spack_repo/theirs",
      "context:repos/3@:recipes/x",
      "context:repos/3@:recipes/y",
      "https://example.invalid/public.git@main:z",
    ]);
    expect(handed.map(({ name, source }) => [name, source.url])).toEqual([
      ["spack", "https://me:secret@example.invalid/spack.git"],
      ["repos/1/spack_repo/mine", "/repository/recipes/spack_repo/mine"],
      ["repos/2/git/packages.git", "file:///srv/git/packages.git"],
      ["repos/3/recipes", "git@example.invalid:ours.git"],
    ]);
    // Arguments are in the image's history.
    expect([...values.values()].join("\n")).not.toContain("secret");
  });

  it("passes on padding, externals, mirrors, wheels and jobs, and names what stays behind", () => {
    const {
      arguments: values,
      wheels,
      left,
    } = sourcesOf({
      padded_length: 256,
      jobs: 3,
      externals: ["opengl", { spec: "cmake@3.25.1", prefix: "/usr" }],
      mirrors: ["https://example.invalid/sources", "sources"],
      wheels: "wheels",
      compilers: ["gcc@12"],
    });
    expect(Object.fromEntries(values)).toMatchObject({
      PADDED_LENGTH: "256",
      JOBS: "3",
      EXTERNALS: "opengl;cmake@3.25.1=/usr",
      MIRRORS: "https://example.invalid/sources",
    });
    expect(values.has("PIP_OPTIONS")).toBe(false);
    expect(wheels).toBe("/repository/wheels");
    expect(left.map(({ key }) => key)).toEqual(["mirrors", "compilers"]);
    expect(sourcesOf({ wheels: "https://example.invalid/simple" }).arguments.get("PIP_OPTIONS")).toBe(
      "--index-url https://example.invalid/simple",
    );
  });
});
