import { beforeAll, describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes } from "../../src/archive/oci/types.ts";
import { documentArtifact } from "../../src/supply/artifact.ts";
import { cycloneDxMediaType } from "../../src/supply/cycloneDx.ts";
import { publishedBill } from "../../src/supply/publishedBill.ts";
import { billsOfMaterials, signedArtifacts, statementsOf } from "../../src/supply/signImage.ts";
import { generateSigningKey, readSigningKey, type SigningKey } from "../../src/supply/signingKey.ts";
import { spdxDocument, spdxMediaType } from "../../src/supply/spdx.ts";
import { type MemoryRepository, memoryRepository } from "../support/artifactRegistry.ts";
import { sampleFacts, sampleManifest } from "./sampleDescription.ts";

const repository = "registry.example.org/group/hello";

/** Document formats, with what tells a document of ours from the injected one. */
const formats = [
  { mediaType: spdxMediaType, name: "SPDX" },
  { mediaType: cycloneDxMediaType, name: "CycloneDX" },
] as const;

function newKey(): Promise<SigningKey> {
  return generateSigningKey("").then(({ privateKey }) => readSigningKey(privateKey, () => "", {}));
}

describe.each(formats)("the $name bill of materials of a published image", ({ mediaType }) => {
  let key: SigningKey;
  let other: SigningKey;
  beforeAll(async () => {
    [key, other] = await Promise.all([newKey(), newKey()]);
  });

  const putImage = (store: MemoryRepository): Descriptor =>
    store.putManifest(Buffer.from('{"schemaVersion":2}'), mediaTypes.manifest, "1.0");
  const factsOf = (image: Descriptor) => sampleFacts({ manifest: sampleManifest(image.digest) });
  const find = (store: MemoryRepository, image: Descriptor, ...keys: SigningKey[]) =>
    publishedBill(
      store,
      image.digest,
      mediaType,
      keys.map(({ publicKey }) => publicKey),
    );

  /** Somebody says of the image that there is nothing in it. */
  async function inject(store: MemoryRepository, image: Descriptor): Promise<void> {
    const document =
      mediaType === spdxMediaType
        ? { spdxVersion: "SPDX-2.3", name: "injected", packages: [] }
        : { bomFormat: "CycloneDX", specVersion: "1.6", components: [], serialNumber: "injected" };
    await store.push(documentArtifact("injected", mediaType, document, image));
  }
  async function attach(store: MemoryRepository, image: Descriptor): Promise<void> {
    for (const artifact of billsOfMaterials(factsOf(image), image)) await store.push(artifact);
  }
  async function attest(store: MemoryRepository, image: Descriptor, signer: SigningKey): Promise<void> {
    const request = {
      subject: image,
      repository,
      key: signer,
      annotations: {},
      statements: statementsOf(factsOf(image)),
      forms: ["tags", "bundles"] as const,
    };
    for (const artifact of await signedArtifacts(request, store)) await store.push(artifact);
  }

  it("is what a trusted key has stated, whatever was put before it", async () => {
    const store = memoryRepository(repository);
    const image = putImage(store);
    await inject(store, image);
    await attach(store, image);
    await attest(store, image, key);
    const bill = await find(store, image, other, key);
    expect(bill).toMatchObject({ kind: "attested" });
    expect(JSON.stringify(bill)).toContain("Hello-MPI");
    expect(JSON.stringify(bill)).not.toContain("injected");
  });

  it("is refused where keys are trusted and none of them has stated one", async () => {
    const store = memoryRepository(repository);
    const image = putImage(store);
    await attach(store, image);
    expect(await find(store, image, key)).toEqual({ kind: "refused" });
    await attest(store, image, other);
    expect(await find(store, image, key)).toEqual({ kind: "refused" });
  });

  it("is not what a trusted key has stated of another image", async () => {
    const store = memoryRepository(repository);
    const image = putImage(store);
    const another = store.putManifest(Buffer.from('{"schemaVersion":2,"x":1}'), mediaTypes.manifest);
    await attest(store, another, key);
    // The statements are hung on this image.
    for (const [name, { bytes }] of [...store.manifests]) {
      if (!name.startsWith("sha256:")) continue;
      const manifest = JSON.parse(bytes.toString("utf8"));
      if (manifest.subject?.digest !== another.digest) continue;
      store.putManifest(Buffer.from(JSON.stringify({ ...manifest, subject: image })), mediaTypes.manifest);
    }
    expect(await find(store, image, key)).toEqual({ kind: "none" });
  });

  it("is what lies there where no key is trusted, and said to be so", async () => {
    const store = memoryRepository(repository);
    const image = putImage(store);
    await inject(store, image);
    const bill = await find(store, image);
    expect(bill).toMatchObject({ kind: "unattested" });
    expect(JSON.stringify(bill)).toContain("injected");
  });

  it("is not there where nothing is attached", async () => {
    const store = memoryRepository(repository);
    const image = putImage(store);
    expect(await find(store, image)).toEqual({ kind: "none" });
    expect(await find(store, image, key)).toEqual({ kind: "none" });
  });

  it("is not a document that names another image", async () => {
    if (mediaType !== spdxMediaType) return;
    const store = memoryRepository(repository);
    const image = putImage(store);
    const of = sampleFacts({ manifest: sampleManifest(`sha256:${"ab".repeat(32)}` as typeof image.digest) });
    await store.push(documentArtifact("another's", mediaType, spdxDocument(of), image));
    await expect(find(store, image)).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  });
});
