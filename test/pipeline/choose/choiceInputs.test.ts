import { describe, expect, it } from "vitest";
import { readManifest } from "../../../src/environment/manifest.ts";
import { baseRequest } from "../../../src/pipeline/base/baseRequest.ts";
import { choiceInputs } from "../../../src/pipeline/choose/choiceInputs.ts";

const digest = (text: string, target = "x86_64_v3", os?: string) => {
  const { environment, errors } = readManifest(text, "spack.yaml");
  if (environment === undefined) throw new Error(errors.map(({ message }) => message).join());
  return choiceInputs(environment, { target, os });
};

describe("choiceInputs", () => {
  const plain = "spack:\n  specs: [zlib]\n  packages:\n    zlib: { require: '@1.2' }\n";

  it("does not depend on comments, layout, views or the list of specs", () => {
    const other =
      "# a comment\nspack:\n  view: false\n  packages:\n    zlib:\n      require: '@1.2'   # why\n  specs:\n  - zlib\n  - hdf5\n";
    expect(digest(other)).toBe(digest(plain));
  });

  it("depends on everything that decides the choice", () => {
    const changed = [
      plain.replace("@1.2", "@1.3"),
      plain.replace("zlib:", "all:"),
      `${plain}    mpich: { variants: +pic }\n`,
      `${plain}    all: { providers: { mpi: [mpich] } }\n`,
      `${plain}    hwloc: { prefer: ['@2'] }\n`,
      `${plain}    hwloc: { conflict: ['@2'] }\n`,
      `${plain}    hwloc: { version: ['2.9'] }\n`,
      `${plain}  concretizer: { unify: false }\n`,
      `${plain}  concretizer: { reuse: { exclude: [zlib] } }\n`,
    ].map((text) => digest(text));
    const digests = [
      digest(plain),
      ...changed,
      digest(plain, "x86_64_v4"),
      digest(plain, "x86_64_v3", "debian12"),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe("baseRequest", () => {
  const debian = { kind: "debian", distribution: "debian", suite: "bookworm", complete: true } as const;

  it("takes the packages as a set, and the default ones as what they are", () => {
    expect(baseRequest({ ...debian, packages: ["sed", "bash", "bash"] })).toEqual(
      baseRequest({ ...debian, packages: ["bash", "sed"] }),
    );
    expect(baseRequest({ ...debian, packages: undefined }).join()).toContain("libc6");
  });

  it("differs for other packages, suites, moments and kinds, not for other mirrors", () => {
    const base = { ...debian, packages: ["bash"] };
    expect(baseRequest({ ...base, mirrors: ["http://mirror.example"] })).toEqual(baseRequest(base));
    const all = [
      base,
      { ...base, packages: ["bash", "sed"] },
      { ...base, suite: "trixie" },
      { ...base, complete: false },
      { ...base, snapshot: "20250520T000000Z" },
      { ...base, components: ["main", "contrib"] },
    ].map((one) => baseRequest(one).join());
    expect(new Set(all).size).toBe(all.length);
    expect(baseRequest({ kind: "scratch" })).toEqual([]);
    expect(baseRequest({ kind: "oci", path: "x", reference: "12" })).toEqual(["reference 12"]);
  });
});
