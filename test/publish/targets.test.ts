import { describe, expect, it } from "vitest";
import { type RegistryConfiguration, readConfiguration } from "../../src/definitions/configuration.ts";
import { publishTags, publishTarget, tagText } from "../../src/publish/targets.ts";
import { formatRepository } from "../../src/registry/reference.ts";

function registry(yaml: string): RegistryConfiguration {
  const { configuration, problems } = readConfiguration(`registries: [${yaml}]`, "/r/spacktainers.yaml");
  const [only] = configuration?.registries ?? [];
  if (only === undefined) throw new Error(problems.errors.join("\n"));
  return only;
}
const names = { name: "tool", arch: "amd64" };
const target = (yaml: string) => publishTarget(registry(yaml), names, {});
const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

describe("where a container is published", () => {
  it.each([
    ["{url: ghcr.io/My-Org, repository: 'spack-{name}'}", "ghcr.io/my-org/spack-tool"],
    [
      "{type: ghcr, url: 'ghcr.example:5000/my-org', repository: 'X-{name}'}",
      "ghcr.example:5000/my-org/x-tool",
    ],
    [`{url: ${ecr}, repository: 'spacktainers/{name}'}`, `${ecr}/spacktainers/tool`],
    ["{url: 'http://registry.example/a/b', repository: '{arch}/{name}'}", "registry.example/a/b/amd64/tool"],
    ["{url: '127.0.0.1:5000'}", "127.0.0.1:5000/tool"],
  ])("%s: %s", (yaml, expected) => {
    expect(formatRepository(target(yaml).repository)).toBe(expected);
  });

  it("allows plain HTTP where the configuration says so", () => {
    expect(target("{url: 'http://registry.example'}").scheme).toBe("http");
    expect(target("{url: registry.example}").scheme).toBeUndefined();
  });

  it("is refused for a name that is none", () => {
    for (const yaml of [
      "{url: registry.example, repository: 'UPPER/{name}'}",
      "{url: 'a b'}",
      "{url: registry.example, repository: '../x'}",
    ])
      expect(() => target(yaml)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });
});

describe("tags", () => {
  const tags = (list: readonly string[], version = "1.2.3") =>
    publishTags({ tags: list }, { ...names, version }, {});

  it("stand for the version and more, each once", () => {
    expect(tags(["{version}", "latest", "v{version}-{arch}", "latest"])).toEqual([
      "1.2.3",
      "latest",
      "v1.2.3-amd64",
    ]);
  });

  it("have what a version may have and a tag may not as _", () => {
    expect(tags(["{version}"], "git.main=1.2+x")).toEqual(["git.main_1.2_x"]);
    expect(tagText(".x")).toBe("_x");
    expect(tagText("1".repeat(300))).toHaveLength(120);
  });

  it("are refused when they are none", () => {
    expect(() => tags([".x"])).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => tags(["a b"])).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});
