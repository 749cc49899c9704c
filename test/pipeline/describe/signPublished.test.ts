import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes } from "../../../src/archive/oci/types.ts";
import { attestationType, verifyPublished } from "../../../src/commands/verify/verifyPublished.ts";
import {
  loadSigningKey,
  loadVerificationKeys,
  makeKeyPair,
} from "../../../src/pipeline/describe/keyFiles.ts";
import { type PublishedRequest, signPublished } from "../../../src/pipeline/describe/signPublished.ts";
import { cycloneDxMediaType } from "../../../src/supply/cycloneDx.ts";
import { attachedDocument } from "../../../src/supply/foundDocuments.ts";
import type { BuiltImageDescription } from "../../../src/supply/imageDescription.ts";
import type { SigningKey, VerificationKey } from "../../../src/supply/signingKey.ts";
import { spdxDocument, spdxMediaType } from "../../../src/supply/spdx.ts";
import { type Digest, digestOf } from "../../../src/util/digest.ts";
import { ignoreEvents, type WorkEvent } from "../../../src/util/events.ts";
import { sampleFacts, sampleManifest } from "../../supply/sampleDescription.ts";
import { type MemoryRepository, memoryRepository } from "../../support/artifactRegistry.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = { COSIGN_PASSWORD: "a password" };

describe("key files", () => {
  it("are made once, the private one for its owner only, and never overwritten", async () => {
    const pair = await makeKeyPair("release", folder, env);
    expect(pair.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(pair.privateKey).mode & 0o777).toBe(0o600);
    const before = readFileSync(pair.privateKey, "utf8");
    expect(before).not.toContain(env.COSIGN_PASSWORD);
    await expect(makeKeyPair("release", folder, env)).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(readFileSync(pair.privateKey, "utf8")).toBe(before);
    // Half a pair is none.
    writeFileSync(join(folder, "half.pub"), "");
    await expect(makeKeyPair("half", folder, env)).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(() => statSync(join(folder, "half.key"))).toThrow();
    await expect(makeKeyPair("other", folder, {})).rejects.toMatchObject({ code: "USAGE" });
  });

  it("are read from files and from variables", async () => {
    const key = await loadSigningKey("release.key", folder, env);
    const [fromFile, fromVariable] = await loadVerificationKeys(["release.pub", "env://PUB"], folder, {
      PUB: readFileSync(join(folder, "release.pub"), "utf8"),
    });
    expect(fromFile?.fingerprint).toBe(key.publicKey.fingerprint);
    expect(fromVariable?.fingerprint).toBe(key.publicKey.fingerprint);
    for (const where of ["missing.pub", "env://NOTHING", "release.key"])
      await expect(loadVerificationKeys([where], folder, {})).rejects.toMatchObject({ code: "KEY_INVALID" });
    await expect(loadSigningKey("release.pub", folder, env)).rejects.toMatchObject({ code: "KEY_INVALID" });
  });
});

describe("published images", () => {
  let key: SigningKey;
  let trusted: readonly VerificationKey[];
  beforeAll(async () => {
    await makeKeyPair("cosign", folder, env);
    key = await loadSigningKey("cosign.key", folder, env);
    trusted = await loadVerificationKeys(["cosign.pub"], folder, env);
  });

  function put(store: MemoryRepository, content: string): Descriptor {
    const layer = store.putBlob(Buffer.from(content), mediaTypes.layer);
    const config = store.putBlob(
      Buffer.from(JSON.stringify({ os: "linux", architecture: content })),
      mediaTypes.config,
    );
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] };
    return store.putManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.manifest, content);
  }
  const factsOf = (image: Digest): BuiltImageDescription => sampleFacts({ manifest: sampleManifest(image) });

  it("keep what was stated of them when they were made, when a rebasing ends in the same image", async () => {
    const rebased = (image: Digest): BuiltImageDescription => ({
      ...factsOf(image),
      packages: factsOf(image).packages.map((one) => ({ ...one, archive: undefined, license: undefined })),
      rebasedFrom: { digest: digestOf("before"), repository: undefined },
    });
    for (const signer of [key, undefined]) {
      const store = memoryRepository("registry.example/hello");
      const { digest } = put(store, "amd64");
      const request: PublishedRequest = {
        reference: digest,
        repository: store,
        factsOf,
        key: signer,
        forms: ["tags"],
        annotations: {},
        emit: ignoreEvents,
        signal: new AbortController().signal,
      };
      expect((await signPublished(request)).length).toBe(signer === undefined ? 2 : 4);
      expect(await signPublished({ ...request, factsOf: rebased })).toEqual([]);
      // What nobody stated is stated now; what somebody else attached is no reason not to.
      const other = memoryRepository("registry.example/hello");
      put(other, "amd64");
      await signPublished({ ...request, key: undefined, repository: other });
      const more = await signPublished({ ...request, factsOf: rebased, repository: other });
      expect(more.map(({ title }) => title)).toEqual(
        signer === undefined
          ? []
          : ["bill of materials (SPDX)", "bill of materials (CycloneDX)", "signature", "attestations"],
      );
    }
  });
  const request = (
    repository: MemoryRepository,
    change: Partial<PublishedRequest> = {},
  ): PublishedRequest => ({
    reference: "amd64",
    repository,
    factsOf,
    key,
    forms: ["tags", "bundles"],
    annotations: {},
    emit: () => {},
    signal: new AbortController().signal,
    ...change,
  });
  const all = ["spdx", "cyclonedx", "provenance"].map(attestationType);

  it("are signed with everything known of them, once", async () => {
    const store = memoryRepository("registry.example.org/hello");
    const subject = put(store, "amd64");
    const attached = await signPublished(request(store));
    expect(attached.map(({ title }) => title).sort()).toEqual([
      "attestations",
      "bill of materials (CycloneDX)",
      "bill of materials (SPDX)",
      "signature",
      "signed statement",
      "signed statement",
      "signed statement",
      "signed statement",
    ]);
    expect(await signPublished(request(store))).toEqual([]);
    const report = await verifyPublished(store, "amd64", { keys: trusted, attestations: all });
    expect(report.documents.map(({ attested }) => attested)).toEqual([true, true]);
    expect(await attachedDocument(store, subject.digest, spdxMediaType)).toEqual(
      JSON.parse(JSON.stringify(spdxDocument(factsOf(subject.digest)))),
    );
  });

  it("without a key get their bills of materials, and are not trusted", async () => {
    const store = memoryRepository("registry.example.org/hello");
    const subject = put(store, "amd64");
    expect(await signPublished(request(store, { key: undefined }))).toHaveLength(2);
    expect(await signPublished(request(store, { key: undefined }))).toEqual([]);
    expect(await attachedDocument(store, subject.digest, cycloneDxMediaType)).toHaveProperty("bomFormat");
    await expect(verifyPublished(store, "amd64", { keys: trusted, attestations: [] })).rejects.toMatchObject({
      errors: [expect.objectContaining({ code: "SIGNATURE_MISSING" })],
    });
    await expect(verifyPublished(store, "amd64", { keys: [], attestations: [] })).rejects.toMatchObject({
      code: "USAGE",
    });
  });

  it("of which nothing is known are signed, and that is said", async () => {
    const store = memoryRepository("registry.example.org/hello");
    put(store, "amd64");
    const events: WorkEvent[] = [];
    await signPublished(request(store, { factsOf: () => undefined, emit: (event) => events.push(event) }));
    expect(events).toEqual([expect.objectContaining({ type: "warning", code: "NOTICE" })]);
    await verifyPublished(store, "amd64", { keys: trusted, attestations: [] });
    await expect(verifyPublished(store, "amd64", { keys: trusted, attestations: all })).rejects.toMatchObject(
      {
        errors: [{ code: "SIGNATURE_MISSING" }, { code: "SIGNATURE_MISSING" }, { code: "SIGNATURE_MISSING" }],
      },
    );
  });

  it("of several architectures are signed, and their index", async () => {
    const store = memoryRepository("registry.example.org/hello");
    const manifests = [put(store, "amd64"), put(store, "arm64")];
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
    const subject = store.putManifest(Buffer.from(JSON.stringify(index)), mediaTypes.index, "joint");
    const known = (image: Digest) => (image === subject.digest ? undefined : factsOf(image));
    const attached = await signPublished(
      request(store, { reference: "joint", factsOf: known, forms: ["tags"] }),
    );
    expect(attached.filter(({ subject: one }) => one === subject.digest).map(({ title }) => title)).toEqual([
      "signature",
    ]);
    const report = await verifyPublished(store, "joint", { keys: trusted, attestations: all });
    expect(report.images.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
    // Each can be taken by itself.
    await verifyPublished(store, "arm64", { keys: trusted, attestations: all });
  });

  it("that are not there cannot be signed; stopped work stops", async () => {
    const store = memoryRepository("registry.example.org/hello");
    await expect(signPublished(request(store))).rejects.toMatchObject({ code: "NOT_FOUND" });
    put(store, "amd64");
    await expect(
      signPublished(request(store, { signal: AbortSignal.abort(new Error("stop")) })),
    ).rejects.toThrow("stop");
    expect(store.manifests.size).toBe(2);
  });
});

describe("types of attestations", () => {
  it("have short names, or are URIs", () => {
    expect(attestationType("provenance")).toBe("https://slsa.dev/provenance/v1");
    expect(attestationType("https://example.org/x")).toBe("https://example.org/x");
    expect(() => attestationType("sbom")).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});
