/** Documents of an image that was put on another base, and what is read of those of the image before. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attestedDocument } from "../../src/supply/attestedDocument.ts";
import { cycloneDxDocument } from "../../src/supply/cycloneDx.ts";
import { readDescription, writeDescription } from "../../src/supply/descriptionDocument.ts";
import { provenanceStatement } from "../../src/supply/provenance.ts";
import { recordedPackages } from "../../src/supply/recordedPackages.ts";
import { signedArtifacts, statementsOf } from "../../src/supply/signImage.ts";
import { generateSigningKey, readSigningKey } from "../../src/supply/signingKey.ts";
import { predicateTypes } from "../../src/supply/statement.ts";
import { digestOf, hexOfDigest } from "../../src/util/digest.ts";
import { isJsonObject, type JsonObject } from "../../src/util/json.ts";
import { memoryRepository } from "../support/artifactRegistry.ts";
import { sampleFacts, sampleManifest } from "./sampleDescription.ts";

const facts = sampleFacts();
const bill = JSON.parse(JSON.stringify(cycloneDxDocument(facts))) as JsonObject;
const anything = { address: (text: string) => text, license: () => true };

describe("what is recorded of packages", () => {
  it("is what the bill of materials was made of", () => {
    const recorded = recordedPackages(bill, anything);
    expect(recorded).toEqual(
      new Map(
        facts.packages.map(({ spec, archive, license }) => [
          spec.hash,
          { archive: archive && { ...archive, size: undefined }, license },
        ]),
      ),
    );
    // So that the next bill of materials says the same.
    const again = facts.packages.map((one) => ({ ...one, ...recorded.get(one.spec.hash) }));
    expect(cycloneDxDocument({ ...facts, packages: again })).toEqual(cycloneDxDocument(facts));
  });

  it("is nothing that does not look like it", () => {
    const ring = facts.packages[0]?.spec.hash ?? "";
    const change = (replace: Record<string, unknown>): JsonObject =>
      ({
        components: (bill.components as readonly JsonObject[])
          .filter((one) => one.name === "ring")
          .map((one) => ({ ...one, ...replace })),
      }) as JsonObject;
    const only = (replace: Record<string, unknown>) =>
      [...recordedPackages(change(replace), anything).values()][0];
    expect(only({ hashes: [{ alg: "SHA-256", content: "../.." }] })?.archive).toBeUndefined();
    expect(only({ licenses: [{ expression: 3 }] })?.license).toBeUndefined();
    expect(only({ scope: "excluded" })).toBeUndefined();
    const signer = [
      { name: "spacktainers:spack:hash", value: ring },
      { name: "spacktainers:spack:signed-by", value: "somebody <else>" },
    ];
    expect(only({ properties: signer })?.archive?.signedBy).toBeUndefined();
    const refused = recordedPackages(bill, { address: () => undefined, license: () => false });
    for (const { archive, license } of refused.values()) {
      expect(archive?.url).toBeUndefined();
      expect(license).toBeUndefined();
    }
  });

  it("is read of any document", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (components, parts) => {
        for (const value of [components, [{ properties: parts, hashes: parts, licenses: parts }]])
          expect(recordedPackages({ components: value } as JsonObject, anything).size).toBe(0);
      }),
    );
  });
});

describe("a statement on an image", () => {
  it("counts when one of the keys has made it on this image", async () => {
    const keys = await Promise.all(
      [1, 2].map(async () => readSigningKey((await generateSigningKey("")).privateKey, () => "", {})),
    );
    const [key, stranger] = keys;
    if (key === undefined || stranger === undefined) throw new Error("there are two keys");
    const repository = memoryRepository("registry.example/hello");
    const subject = repository.putManifest(
      Buffer.from("{}"),
      "application/vnd.oci.image.manifest.v1+json",
      "1",
    );
    const of = (image: typeof subject.digest) =>
      attestedDocument(repository, image, predicateTypes.cyclonedx, [key.publicKey]);
    const attest = async (signer: typeof key, described = subject.digest) => {
      const artifacts = await signedArtifacts(
        {
          subject,
          repository: repository.repository,
          key: signer,
          annotations: {},
          statements: statementsOf(sampleFacts({ manifest: sampleManifest(described) })),
          forms: ["tags"],
        },
        repository,
      );
      for (const artifact of artifacts) await repository.push(artifact);
    };
    await attest(stranger);
    expect(await of(subject.digest)).toBeUndefined();
    // A trusted key's statement on another image, attached to this one.
    await attest(key, digestOf("another"));
    expect(await of(subject.digest)).toBeUndefined();
    await attest(key);
    expect(await of(subject.digest)).toMatchObject({ bomFormat: "CycloneDX" });
    expect(await of(digestOf("another"))).toBeUndefined();
  });
});

describe("a rebased image", () => {
  const from = { digest: digestOf("before"), repository: "ghcr.io/Org/hello" };
  const rebased = sampleFacts({ rebasedFrom: from });
  const dependencies = (changed: typeof rebased): readonly JsonObject[] => {
    const statement = JSON.parse(JSON.stringify(provenanceStatement(changed)));
    return statement.predicate.buildDefinition.resolvedDependencies;
  };

  it("has a provenance that names the image before and the base, and leaves the packages to that image's", () => {
    const statement = JSON.parse(JSON.stringify(provenanceStatement(rebased)));
    expect(statement.predicate.buildDefinition).toMatchObject({
      buildType: "https://spacktainers.dev/build-types/rebase/v1",
      externalParameters: { container: "Hello-MPI", base: "debian:bookworm (3 packages)" },
    });
    const uri = `pkg:oci/hello@${from.digest}?arch=amd64&repository_url=ghcr.io%2Forg%2Fhello`;
    expect(dependencies(rebased)).toEqual([
      { name: "image", uri, digest: { sha256: hexOfDigest(from.digest) } },
      // A base without a manifest is known by its layers, and by its packages.
      { name: rebased.base.name, digest: { sha256: hexOfDigest(rebased.layers[0]?.digest ?? from.digest) } },
      expect.objectContaining({ name: "libstdc++6@12.2.0-14+deb12u1" }),
    ]);
    const digest = digestOf("base");
    const onImage = sampleFacts({ rebasedFrom: from, base: { ...rebased.base, digest, packages: [] } });
    expect(dependencies(onImage)[1]).toEqual({
      name: rebased.base.name,
      digest: { sha256: hexOfDigest(digest) },
    });
    expect(dependencies(onImage)).toHaveLength(2);
  });

  it("keeps the image before in the facts beside it", () => {
    expect(readDescription(writeDescription(rebased), "facts.json").rebasedFrom).toEqual(from);
    const local = sampleFacts({ rebasedFrom: { digest: from.digest, repository: undefined } });
    expect(readDescription(writeDescription(local), "facts.json").rebasedFrom).toEqual(local.rebasedFrom);
    expect(JSON.parse(writeDescription(sampleFacts()).toString())).not.toHaveProperty("rebasedFrom");
    expect(isJsonObject(dependencies(local)[0]) && dependencies(local)[0]?.uri).toBe(
      `pkg:oci/hello-mpi@${from.digest}?arch=amd64`,
    );
  });
});
