import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes } from "../../src/archive/oci/types.ts";
import { readEnvelope } from "../../src/supply/dsse.ts";
import type { BuiltImageDescription } from "../../src/supply/imageDescription.ts";
import {
  billsOfMaterials,
  type SignRequest,
  signedArtifacts,
  statementsOf,
} from "../../src/supply/signImage.ts";
import { generateSigningKey, readSigningKey, type SigningKey } from "../../src/supply/signingKey.ts";
import { readSimpleSigning, simpleSigningPayload } from "../../src/supply/simpleSigning.ts";
import { predicateTypes, readStatement } from "../../src/supply/statement.ts";
import { type VerificationPolicy, verifyImage } from "../../src/supply/verifyImage.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type MemoryRepository, memoryRepository } from "../support/artifactRegistry.ts";
import { sampleFacts, sampleManifest } from "./sampleDescription.ts";

const repository = "registry.example.org/group/hello";

async function newKey(): Promise<SigningKey> {
  return readSigningKey((await generateSigningKey("")).privateKey, () => "", {});
}

/** Puts a small image into a repository. */
function putImage(
  store: MemoryRepository,
  content: string,
): { subject: Descriptor; facts: BuiltImageDescription; layer: Descriptor } {
  const layer = store.putBlob(Buffer.from(content), mediaTypes.layer);
  const config = store.putBlob(
    Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        rootfs: { type: "layers", diff_ids: [layer.digest] },
      }),
    ),
    mediaTypes.config,
  );
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] };
  const subject = store.putManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.manifest, content);
  return { subject, facts: sampleFacts({ manifest: sampleManifest(subject.digest) }), layer };
}

describe("signed images", () => {
  let key: SigningKey;
  let other: SigningKey;
  beforeAll(async () => {
    [key, other] = await Promise.all([newKey(), newKey()]);
  });

  const sign = async (
    store: MemoryRepository,
    subject: Descriptor,
    facts: BuiltImageDescription,
    change: Partial<SignRequest> = {},
  ) => {
    const artifacts = await signedArtifacts(
      {
        subject,
        repository,
        key,
        annotations: {},
        statements: statementsOf(facts),
        forms: ["tags", "bundles"],
        ...change,
      },
      store,
    );
    for (const artifact of artifacts) await store.push(artifact);
    return artifacts;
  };
  const trust = (...keys: SigningKey[]): VerificationPolicy => ({
    keys: keys.map(({ publicKey }) => publicKey),
    attestations: [predicateTypes.spdx, predicateTypes.cyclonedx, predicateTypes.provenance],
  });
  const published = async (change: Partial<SignRequest> = {}) => {
    const store = memoryRepository(repository);
    const image = putImage(store, "1.0");
    for (const artifact of billsOfMaterials(image.facts, image.subject)) await store.push(artifact);
    await sign(store, image.subject, image.facts, change);
    return { store, ...image };
  };

  it("verify, with what is stated of them", async () => {
    const { store, subject } = await published();
    const report = await verifyImage(store, "1.0", trust(key));
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({
      image: subject.digest,
      platform: "linux/amd64",
      blobs: { present: 2, total: 2 },
    });
    const signer = { kind: "key", fingerprint: key.publicKey.fingerprint };
    expect(report.signatures).toEqual([
      { signer, repository, annotations: {} },
      { signer, repository: undefined, annotations: {} },
    ]);
    expect(new Set(report.attestations.map(({ predicateType }) => predicateType))).toEqual(
      new Set([predicateTypes.spdx, predicateTypes.cyclonedx, predicateTypes.provenance]),
    );
    expect(report.documents.map(({ attested }) => attested)).toEqual([true, true]);
  });

  it.each([["tags"], ["bundles"]] as const)("verify with %s alone", async (form) => {
    const { store } = await published({ forms: [form] });
    expect((await verifyImage(store, "1.0", trust(key))).problems).toEqual([]);
  });

  it("are not signed again by the same key in the same words; another key's signature comes beside it", async () => {
    const { store, subject, facts } = await published();
    expect(await sign(store, subject, facts)).toEqual([]);
    await sign(store, subject, facts, { key: other });
    for (const one of [key, other])
      expect((await verifyImage(store, "1.0", trust(one))).problems).toEqual([]);
    const both = await verifyImage(store, "1.0", trust(key, other));
    expect(both.signatures).toHaveLength(4);
    // Stated otherwise by the same key: that replaces what it stated before, and nothing else.
    const changed = { ...facts, toolVersion: "0.2.0" };
    const tags = await sign(store, subject, changed, { forms: ["tags"] });
    expect(tags.map(({ title, manifest }) => [title, manifest.value.layers.length])).toEqual([
      ["attestations", 6],
    ]);
  });

  it("carry the signer's own claims", async () => {
    const { store } = await published({ annotations: { ticket: "42" } });
    const report = await verifyImage(store, "1.0", trust(key));
    expect(report.signatures[0]?.annotations).toEqual({ ticket: "42" });
  });

  const codes = async (store: MemoryRepository, policy: VerificationPolicy, reference = "1.0") =>
    [...new Set((await verifyImage(store, reference, policy)).problems.map(({ code }) => code))].sort();

  it("are refused unsigned, signed by strangers, and without the attestations asked for", async () => {
    const store = memoryRepository(repository);
    const { subject, facts } = putImage(store, "1.0");
    expect(await codes(store, trust(key))).toEqual(["SIGNATURE_MISSING"]);
    await sign(store, subject, facts, { statements: [] });
    expect(await codes(store, { ...trust(key), attestations: [] })).toEqual([]);
    expect(await codes(store, trust(key))).toEqual(["SIGNATURE_MISSING"]);
    expect(await codes(store, { ...trust(other), attestations: [] })).toEqual(["KEY_UNKNOWN"]);
    expect(await codes(store, { ...trust(), attestations: [] })).toEqual(["KEY_UNKNOWN"]);
    await expect(verifyImage(store, "2.0", trust(key))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("are refused with the signature and the statements of another image", async () => {
    const { store, subject } = await published();
    const evil = putImage(store, "evil");
    for (const ending of ["sig", "att"]) {
      const manifest = store.manifests.get(`sha256-${subject.digest.slice(7)}.${ending}`);
      if (manifest === undefined) throw new Error(`no .${ending}`);
      store.manifests.set(`sha256-${evil.subject.digest.slice(7)}.${ending}`, manifest);
    }
    expect(await codes(store, trust(key), "evil")).toEqual(["IDENTITY_MISMATCH"]);
  });

  it("are refused when the signature is for another repository, unless that is named", async () => {
    const { store } = await published({ repository: "elsewhere.example.org/hello", forms: ["tags"] });
    expect(await codes(store, trust(key))).toEqual(["IDENTITY_MISMATCH"]);
    expect(await codes(store, { ...trust(key), repositories: ["elsewhere.example.org/hello"] })).toEqual([]);
    expect(await codes(store, { ...trust(key), repositories: [] })).toEqual([]);
    // Docker Hub is called by several names.
    const hub = await published({ repository: "index.docker.io/group/hello", forms: ["tags"] });
    expect(await codes(hub.store, { ...trust(key), repositories: ["docker.io/group/hello"] })).toEqual([]);
  });

  it("are refused when an attested or attached bill of materials describes another image", async () => {
    const store = memoryRepository(repository);
    const { subject, facts } = putImage(store, "1.0");
    const wrong = sampleFacts();
    for (const artifact of billsOfMaterials(wrong, subject)) await store.push(artifact);
    const statements = statementsOf(wrong).map((one) => ({
      ...one,
      subject: statementsOf(facts)[0]?.subject ?? [],
    }));
    await sign(store, subject, facts, { statements });
    expect(await codes(store, { ...trust(key), attestations: [] })).toEqual(["IDENTITY_MISMATCH"]);
  });

  it("are refused when a layer is gone", async () => {
    const { store, layer } = await published();
    store.blobs.delete(layer.digest);
    expect(await codes(store, trust(key))).toEqual(["NOT_FOUND"]);
  });

  it("do not trust an attached document that says something else than the attested one", async () => {
    const store = memoryRepository(repository);
    const { subject, facts } = putImage(store, "1.0");
    await sign(store, subject, facts);
    const forged = { ...facts, packages: facts.packages.slice(1) };
    for (const artifact of billsOfMaterials(forged, subject)) await store.push(artifact);
    const report = await verifyImage(store, "1.0", trust(key));
    expect(report.documents.map(({ attested }) => attested)).toEqual([false, false]);
  });

  it("of several architectures are covered by the signature of their index", async () => {
    const store = memoryRepository(repository);
    const [one, two] = [putImage(store, "one"), putImage(store, "two")];
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [one.subject, two.subject] };
    const subject = store.putManifest(Buffer.from(JSON.stringify(index)), mediaTypes.index, "joint");
    expect(await codes(store, { ...trust(key), attestations: [] }, "joint")).toEqual(["SIGNATURE_MISSING"]);
    await sign(store, subject, one.facts, { statements: [] });
    expect(await codes(store, { ...trust(key), attestations: [] }, "joint")).toEqual([]);
    // Statements are on the images.
    expect(await codes(store, trust(key), "joint")).toEqual(["SIGNATURE_MISSING"]);
    for (const { subject: image, facts } of [one, two]) await sign(store, image, facts);
    const report = await verifyImage(store, "joint", trust(key));
    expect(report.problems).toEqual([]);
    expect(report.images.map(({ image }) => image)).toEqual([one.subject.digest, two.subject.digest]);
  });

  it("with any byte of signature or statement changed do not verify", async () => {
    const original = await published();
    const blobs = [...original.store.blobs].filter(([digest]) => digest !== original.layer.digest);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, at, change) => {
        const store = memoryRepository(repository);
        for (const [reference, manifest] of original.store.manifests) {
          const tag = reference.startsWith("sha256:") ? undefined : reference;
          store.putManifest(manifest.bytes, manifest.descriptor.mediaType, tag);
        }
        for (const [digest, bytes] of original.store.blobs) store.blobs.set(digest, bytes);
        const [digest, bytes] = blobs[which % blobs.length] ?? [digestOf(""), Buffer.alloc(1)];
        const changed = Buffer.from(bytes);
        const index = at % changed.length;
        changed[index] = (changed[index] ?? 0) ^ change;
        store.blobs.set(digest, changed);
        const report = await verifyImage(store, "1.0", trust(key));
        for (const { predicate } of report.attestations) {
          const statements = statementsOf(original.facts).map((one) => JSON.stringify(one.predicate));
          expect(statements).toContain(JSON.stringify(predicate));
        }
        for (const one of report.signatures) expect([repository, undefined]).toContain(one.repository);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

describe("readers of strangers' documents", () => {
  it("give undefined for anything else, and never throw", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(readSimpleSigning(bytes)).toBeUndefined();
          expect(readStatement(bytes)).toBeUndefined();
        },
      ),
    );
    fc.assert(fc.property(fc.anything(), (value) => void expect(readEnvelope(value)).toBeUndefined()));
  });

  it("read payloads as they were written", () => {
    const claim = { repository, image: digestOf("x"), annotations: { a: "b" } };
    expect(readSimpleSigning(simpleSigningPayload(claim))).toEqual(claim);
    expect(simpleSigningPayload({ ...claim, annotations: {} }).toString()).toBe(
      `{"critical":{"identity":{"docker-reference":"${repository}"},"image":{"docker-manifest-digest":"${digestOf("x")}"},"type":"cosign container image signature"},"optional":null}`,
    );
  });
});
