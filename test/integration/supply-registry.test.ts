/** Signing and verifying by way of our own registry client, in a registry that knows no referrers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { attestationType, verifyPublished } from "../../src/commands/verify/verifyPublished.ts";
import { signPublished } from "../../src/pipeline/describe/signPublished.ts";
import { artifactRepository } from "../../src/publish/artifactRepository.ts";
import { parseReference } from "../../src/registry/reference.ts";
import { openRegistry, type Registry } from "../../src/registry/registry.ts";
import { blobOf } from "../../src/supply/artifact.ts";
import { attachedDocument } from "../../src/supply/foundDocuments.ts";
import { generateSigningKey, readSigningKey, type SigningKey } from "../../src/supply/signingKey.ts";
import { spdxMediaType } from "../../src/supply/spdx.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { sampleFacts, sampleManifest } from "../supply/sampleDescription.ts";
import { registryTrouble, startRegistry, type TestRegistry } from "../support/artifactRegistry.ts";

const trouble = registryTrouble();

describe.skipIf(trouble !== undefined)(
  `a registry${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let server: TestRegistry;
    let registry: Registry;
    let key: SigningKey;
    const signal = new AbortController().signal;
    beforeAll(async () => {
      server = await startRegistry();
      registry = openRegistry({ host: parseReference(`${server.host}/x`).host, emit: ignoreEvents, signal });
      key = await readSigningKey((await generateSigningKey("")).privateKey, () => "", {});
    });
    afterAll(async () => {
      await registry?.close();
      await server?.stop();
    });

    it("takes everything that is attached, once, and gives it back to be verified", async () => {
      const raw = server.repository("hello");
      const config = blobOf(mediaTypes.config, Buffer.from('{"os":"linux","architecture":"amd64"}'));
      const layer = blobOf(mediaTypes.layer, Buffer.from("a layer"));
      for (const { bytes } of [config, layer]) await raw.putBlob(bytes);
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: config.descriptor,
        layers: [layer.descriptor],
      };
      await raw.putManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.manifest, "1.0");
      const repository = artifactRepository(registry.repository(parseReference(`${server.host}/hello`).path));
      expect(repository.repository).toBe(`${server.host}/hello`);
      const request = {
        reference: "1.0",
        repository,
        factsOf: (image: Parameters<typeof sampleManifest>[0]) =>
          sampleFacts({ manifest: sampleManifest(image) }),
        key,
        forms: ["tags", "bundles"] as const,
        annotations: {},
        emit: ignoreEvents,
        signal,
      };
      expect(await signPublished(request)).toHaveLength(8);
      expect(await signPublished(request)).toEqual([]);
      const all = ["spdx", "cyclonedx", "provenance"].map(attestationType);
      const report = await verifyPublished(repository, "1.0", { keys: [key.publicKey], attestations: all });
      expect(report).toMatchObject({ platform: "linux/amd64", blobs: { present: 2, total: 2 } });
      expect(report.documents.map(({ attested }) => attested)).toEqual([true, true]);
      expect(await attachedDocument(repository, report.image, spdxMediaType)).toHaveProperty(
        "spdxVersion",
        "SPDX-2.3",
      );
      await expect(repository.blob({ ...layer.descriptor, size: 100 }, 10)).rejects.toMatchObject({
        code: "ARCHIVE_INVALID",
      });
      expect(await repository.manifest("nothing")).toBeUndefined();
    });
  },
);
