import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { layoutBlobPath, readOciLayout } from "../../src/archive/oci/readOciLayout.ts";
import { type Descriptor, mediaTypes } from "../../src/archive/oci/types.ts";
import { digestOf } from "../../src/util/digest.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-layout-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("reads each index once, however often indexes name one another", async () => {
  mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const index = (manifests: readonly Descriptor[]) =>
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  let inner: Descriptor[] = [];
  for (let depth = 0; depth < 3; depth++) {
    const bytes = index(inner);
    const descriptor = { mediaType: mediaTypes.index, digest: digestOf(bytes), size: bytes.length };
    writeFileSync(layoutBlobPath(folder, descriptor.digest), bytes);
    inner = Array.from({ length: 10_000 }, () => descriptor);
  }
  writeFileSync(join(folder, "index.json"), index(inner));
  const query = { platform: { architecture: "amd64", os: "linux" } };
  await expect(readOciLayout(folder, query)).rejects.toMatchObject({ code: "NOT_FOUND" });
});
