/** Bills of materials that somebody else hangs on a published image: who may write to a repository can do so. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { artifactRepository } from "../../src/publish/artifactRepository.ts";
import { documentArtifact } from "../../src/supply/artifact.ts";
import { cycloneDxMediaType } from "../../src/supply/cycloneDx.ts";
import { spdxMediaType } from "../../src/supply/spdx.ts";
import type { Digest } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import type { Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { rebasingPlace } from "../support/rebasing.ts";

const env = { COSIGN_PASSWORD: "test" };

describe.each([
  { format: "spdx", mediaType: spdxMediaType },
  { format: "cyclonedx", mediaType: cycloneDxMediaType },
] as const)("an injected bill of materials ($format)", ({ format, mediaType }) => {
  let registry: FakeRegistry;
  let work: Workplace;
  let opened: OpenedRepository;
  const image = (tag: string): string => `${registry.host}/org/spack-hello-mpi:${tag}`;
  const sbom = (tag: string, ...args: string[]) =>
    work.run(["sbom", `docker://${image(tag)}`, "--format", format, ...args]);

  beforeAll(async () => {
    registry = await startFakeRegistry();
    work = rebasingPlace(registry.host);
    opened = openRepository(`${registry.host}/org/spack-hello-mpi`);
    expect((await work.run(["keys", "cosign"], { env })).status).toBe(0);
    expect((await work.run(["keys", "other"], { env })).status).toBe(0);
    configure("signing: {key: cosign.key, public: [cosign.pub]}");
    const pushed = await work.run(["push", "--json"], { env });
    expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
    await injectFirst(jsonLines(pushed).at(-1)?.digest as Digest);
  });
  afterAll(async () => {
    work?.remove();
    await opened?.close();
    await registry?.close();
  });

  function configure(signing: string): void {
    const path = work.path("spacktainers.yaml");
    writeFileSync(path, `${readFileSync(path, "utf8").replace(/^signing:.*\n/m, "")}${signing}\n`);
  }

  /** Hangs a document on the image that says that there is nothing in it, before everything that hangs there. */
  async function injectFirst(digest: Digest): Promise<void> {
    const path = "org/spack-hello-mpi";
    const of = registry.manifests.get(path) ?? new Map();
    const bytes = of.get(digest)?.bytes ?? Buffer.alloc(0);
    const subject = { mediaType: mediaTypes.manifest, digest, size: bytes.length };
    const document =
      format === "spdx"
        ? { spdxVersion: "SPDX-2.3", name: "injected", packages: [] }
        : { bomFormat: "CycloneDX", specVersion: "1.6", metadata: { component: { name: "injected" } } };
    const known = new Set(of.keys());
    await artifactRepository(opened.repository).push(
      documentArtifact("injected", mediaType, document, subject),
    );
    const added = [...of].filter(([key]) => !known.has(key));
    expect(added).not.toEqual([]);
    registry.manifests.set(path, new Map([...added, ...of]));
  }

  it("is not what `sbom` prints where a trusted key has stated another one", async () => {
    const result = await sbom("latest");
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout).toContain("mpich");
    expect(result.stdout).not.toContain("injected");
    expect(result.stderr).not.toContain("no trusted key signed");
  });

  it("is refused where no trusted key has stated any: nothing is printed or written", async () => {
    configure("signing: {public: [other.pub]}");
    const result = await sbom("latest", "-o", "bill.json");
    expect(result.status).toBe(5);
    expect(result.stdout).toBe("");
    expect(result.stderr).toContain("SIGNATURE_MISSING");
    expect(() => readFileSync(work.path("bill.json"))).toThrow();
  });

  it("is not printed without a warning where no keys are configured", async () => {
    configure("");
    const result = await sbom("latest");
    expect(result.status).toBe(0);
    expect(result.stderr).toMatch(/warning.*no trusted key signed this bill of materials/);
  });
});
