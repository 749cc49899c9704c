import { describe, expect, it } from "vitest";
import { readDescription, writeDescription } from "../../src/supply/descriptionDocument.ts";
import { provenanceStatement } from "../../src/supply/provenance.ts";
import { digestOf, hexOfDigest } from "../../src/util/digest.ts";
import { sampleFacts } from "./sampleDescription.ts";

const commit = "abcdef6789012345678901234567890123456789";
const builder = digestOf("builder");
const spack = {
  version: "1.1.0",
  url: "https://github.com/spack/spack.git",
  commit,
  repositories: [
    { namespace: "ours", url: undefined, commit },
    { namespace: "edited", url: "https://example.org/r.git", commit: undefined },
  ],
  builder: { image: "ghcr.io/my-org/spack-builder:1", digest: builder },
};

describe("the Spack that packages were built with", () => {
  it("is among what provenance says was used, where there is a commit", () => {
    const { predicate } = JSON.parse(JSON.stringify(provenanceStatement(sampleFacts({ spack }))));
    const used = predicate.buildDefinition.resolvedDependencies as { name: string }[];
    expect(used.filter(({ name }) => /^(?:spack@|recipes|builder)/.test(name))).toEqual([
      { name: "spack@1.1.0", uri: "git+https://github.com/spack/spack.git", digest: { gitCommit: commit } },
      { name: "recipes ours", digest: { gitCommit: commit } },
      { name: "builder image ghcr.io/my-org/spack-builder:1", digest: { sha256: hexOfDigest(builder) } },
    ]);
    const without = JSON.stringify(provenanceStatement(sampleFacts()));
    expect(without).not.toMatch(/recipes |builder image/);
  });

  it("is kept with the facts of an image, and leaves those without it as they were", () => {
    const facts = sampleFacts({ spack });
    expect(readDescription(writeDescription(facts), "facts").spack).toEqual(spack);
    expect(writeDescription(sampleFacts()).toString()).not.toContain('"spack"');
  });
});
