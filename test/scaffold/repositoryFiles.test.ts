import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readConfiguration } from "../../src/definitions/configuration.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import { configurationText, registryAt } from "../../src/scaffold/configurationText.ts";
import { definitionText } from "../../src/scaffold/definitionText.ts";
import { repositoryFiles } from "../../src/scaffold/repositoryFiles.ts";
import type { ScaffoldAnswers } from "../../src/scaffold/types.ts";
import { yamlList, yamlScalar } from "../../src/scaffold/yamlText.ts";

const answers: ScaffoldAnswers = {
  title: "mine",
  caches: [
    { url: "s3://my-cache", trust: ["keys/a.pub", "keys/b, c.pub"] },
    { url: "/x: y", trust: [] },
  ],
  isDemo: false,
  pipelines: undefined,
  catalogue: false,
  base: { kind: "ubuntu", value: "noble", packages: ["bash", "gdb"] },
  registries: [
    registryAt("ghcr.io/my-org"),
    registryAt("123456789012.dkr.ecr.us-east-1.amazonaws.com"),
    registryAt("localhost:5000/x"),
  ],
  labels: new Map([["org.example.x", "a: b"]]),
  spack: {
    url: "https://git.example.org/spack.git",
    ref: "v0.23.1",
    repos: [{ url: "https://git.example.org/r.git", ref: undefined, path: "a/b" }],
  },
  epilogueNetwork: true,
  strip: false,
  architectures: ["amd64", "arm64"],
  example: { name: "x", specs: ["ring@1:", "mpich"], command: "ring" },
};

describe("configurationText", () => {
  it("is a configuration that says what was decided", () => {
    const { configuration, problems } = readConfiguration(configurationText(answers), "/r/spacktainers.yaml");
    expect(problems).toEqual({ errors: [], warnings: [] });
    expect(configuration).toMatchObject({
      caches: [
        { url: "s3://my-cache", trust: [{ path: "/r/keys/a.pub" }, { path: "/r/keys/b, c.pub" }] },
        { url: "/x: y", unsigned: true },
      ],
      base: { distribution: "ubuntu", suite: "noble", packages: ["bash", "gdb"] },
      registries: [
        { type: "ghcr" },
        { type: "ecr", repository: "spacktainers/{name}" },
        { type: "oci", repository: "spack-{name}" },
      ],
      strip: false,
      epilogue: { network: true },
    });
    expect(configuration?.image.labels.get("org.example.x")).toBe("a: b");
    expect(configuration?.spack).toMatchObject({ build: true });
  });

  it.each(["github", "gitlab"] as const)(
    "publishes the catalogue where that is wanted, on %s",
    (pipelines) => {
      const ciOf = (catalogue: boolean) =>
        readConfiguration(configurationText({ ...answers, pipelines, catalogue }), "/r/spacktainers.yaml")
          .configuration?.ci;
      expect(ciOf(true)?.catalogue).toBe(true);
      expect(ciOf(false)?.catalogue).toBe(false);
      expect(configurationText({ ...answers, pipelines })).toContain("\n# ci: { catalogue: true }\n");
      expect(configurationText(answers)).not.toContain("catalogue");
    },
  );

  it("is one where nothing was decided", () => {
    const none = {
      ...answers,
      caches: [],
      registries: [],
      spack: undefined,
      labels: new Map(),
      epilogueNetwork: false,
      strip: true,
    };
    const { configuration, problems } = readConfiguration(configurationText(none), "/r/spacktainers.yaml");
    expect(problems.errors).toEqual([]);
    expect(configuration).toMatchObject({ caches: [], registries: [], strip: true, spack: { build: false } });
  });
});

describe("repositoryFiles", () => {
  it("defines the example for every architecture, with its specs", () => {
    const files = new Map(repositoryFiles(answers).map(({ path, content }) => [path, String(content)]));
    for (const arch of ["amd64", "arm64"]) {
      const reading = readManifest(
        files.get(`container_definitions/${arch}/x/spack.yaml`) ?? "",
        "spack.yaml",
      );
      expect(reading.errors).toEqual([]);
      expect(reading.environment?.specs.map(({ text }) => text)).toEqual(["ring@1:", "mpich"]);
    }
    expect(files.get("README.md")).toContain("spacktainers run x -- ring");
  });
});

describe("yamlScalar and yamlList", () => {
  it("are read back as what they were", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.constantFrom(
              "1.10",
              "yes",
              "~",
              "a,b",
              "@1:",
              "s3://x/y",
              "null",
              "0x1",
              "1e3",
              "- a",
              "a #b",
            ),
          ),
        ),
        (texts) => {
          expect(parse(`x: ${yamlList(texts)}`)).toEqual({ x: texts });
          for (const text of texts) expect(parse(`x: ${yamlScalar(text)}`)).toEqual({ x: text });
        },
      ),
    );
  });

  it("keep specs as they are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}(?:@[0-9.:]{1,5})?(?:[+~][a-z]{1,5})?$/), {
          minLength: 1,
        }),
        (specs) => {
          expect(parse(definitionText(specs)).spack.specs).toEqual(specs);
        },
      ),
    );
  });
});
