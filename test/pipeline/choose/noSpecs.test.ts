import { expect, it } from "vitest";
import { readManifest } from "../../../src/environment/manifest.ts";
import { hasNoSpecs, noSpecs } from "../../../src/pipeline/choose/noSpecs.ts";

it.each([
  ["spack: {}\n", true],
  ["spack: { specs: [] }\n", true],
  ["spack: { specs: [zlib] }\n", false],
])("%j asks for nothing: %s", (text, expected) => {
  const { environment } = readManifest(text, "spack.yaml");
  if (environment === undefined) throw new Error("invalid");
  expect(hasNoSpecs(environment)).toBe(expected);
});

it("is an error of the manifest", () => {
  expect(noSpecs("a/spack.yaml")).toMatchObject({
    code: "MANIFEST_INVALID",
    place: { file: "a/spack.yaml" },
  });
});
