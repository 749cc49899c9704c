import { describe, expect, it } from "vitest";
import { imageDigest } from "../../../src/spack/container/builderImage.ts";
import { digestOf, hexOfDigest } from "../../../src/util/digest.ts";

const manifest = digestOf("manifest");
const other = digestOf("other");
const configuration = digestOf("configuration");

describe("imageDigest", () => {
  it.each([
    [
      "Podman's",
      { Id: hexOfDigest(configuration), Digest: manifest, RepoDigests: [`host/a@${other}`] },
      manifest,
    ],
    ["Docker's of a registry", { Id: configuration, RepoDigests: [`host:5000/a@${manifest}`] }, manifest],
    ["Docker's own", { Id: configuration, RepoDigests: [] }, configuration],
    ["one without any", { Id: "nothing" }, undefined],
  ])("is that of the manifest, else that of the configuration: %s", (_, image, digest) => {
    expect(imageDigest(JSON.stringify(image))).toBe(digest);
  });

  it("is none of what is no answer of an engine", () => {
    for (const text of ["", "[]", "{}", '{"Id":1}', "null"]) expect(imageDigest(text)).toBeUndefined();
  });
});
