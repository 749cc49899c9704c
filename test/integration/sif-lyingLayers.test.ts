/** Images whose configuration lies about what is in their layers: nothing is made of them, in whatever form they come. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLayout } from "../../src/image/openLayout.ts";
import { platformOf } from "../../src/image/platform.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { openRegistries } from "../../src/registry/openRegistries.ts";
import { parseRepository } from "../../src/registry/reference.ts";
import { digestOf, hexOfDigest } from "../../src/util/digest.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { squashfsTrouble } from "../support/everyForm.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { file, hostArchitecture, writeTestLayout } from "../support/hostImage.ts";
import { pushLayout } from "../support/pushLayout.ts";

/** Names other content in the configuration of a layout's image; manifest and index are true to it. */
function lie(layout: string): void {
  const blob = (digest: string): string => join(layout, "blobs/sha256", digest.slice("sha256:".length));
  const stored = (value: object): { readonly digest: string; readonly size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(join(layout, "blobs/sha256", hexOfDigest(digest)), bytes);
    return { digest, size: bytes.length };
  };
  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const index = json(join(layout, "index.json"));
  const manifest = json(blob(index.manifests[0].digest));
  const config = json(blob(manifest.config.digest));
  config.rootfs.diff_ids[0] = digestOf("something else");
  Object.assign(manifest.config, stored(config));
  Object.assign(index.manifests[0], stored(manifest));
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
}

/** What is below a folder, without directories. */
const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));

const trouble = squashfsTrouble();

describe.skipIf(trouble !== undefined)(
  `a SIF of an image that lies about its layers${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let work: Workplace;
    let registry: FakeRegistry;
    beforeAll(async () => {
      registry = await startFakeRegistry();
      work = makeWorkplace("");
      const layout = await writeTestLayout(work.path("image"), {
        layers: [[file("etc/first", "first\n")], [file("etc/second", "second\n")]],
      });
      const open = () =>
        openLayout(layout, { platforms: [platformOf("amd64"), platformOf("arm64")], reference: undefined });
      await writeDockerArchive(work.path("docker.tar"), await open(), { reference: "test:1" });
      lie(layout);
      const image = await open();
      await writeOciArchive(work.path("image.tar"), [image]);
      lieInDockerArchive(work.path("docker.tar"));
      const signal = new AbortController().signal;
      const registries = openRegistries({ configured: [], emit: ignoreEvents, signal });
      await pushLayout(registries.repository(parseRepository(`${registry.host}/org/lying`)), layout, "1");
      await registries.close();
      for (const folder of [work.path("tmp"), work.cacheHome]) mkdirSync(folder);
    });
    afterAll(async () => {
      await registry?.close();
      work?.remove();
    });

    /** The digest of the first layer stands in the configuration as it is: other digits of the same length. */
    function lieInDockerArchive(path: string): void {
      const bytes = readFileSync(path);
      const at = bytes.indexOf('"diff_ids":["sha256:') + '"diff_ids":["sha256:'.length;
      expect(at).toBeGreaterThan(100);
      bytes.write("0123456789abcdef".repeat(4), at, "latin1");
      writeFileSync(path, bytes);
    }

    const forms = [
      "oci:image",
      "image",
      "oci-archive:image.tar",
      "docker-archive:docker.tar",
      "docker",
    ] as const;
    it.each(forms)("is not written (%s): one error, and nothing is left", async (form) => {
      const image = form === "docker" ? `docker://${registry.host}/org/lying:1` : form;
      const before = readdirSync(work.directory).sort();
      const result = await work.run(["sif", image, "-o", "out.sif", "--arch", hostArchitecture], {
        env: { TMPDIR: work.path("tmp") },
      });
      expect(result.status, result.stderr).toBe(5);
      expect(result.stderr.match(/\berror {2}/g)).toHaveLength(1);
      expect(result.stderr).toContain("CHECKSUM_MISMATCH");
      expect(readdirSync(work.directory).sort()).toEqual(before);
      expect(filesBelow(work.path("tmp"))).toEqual([]);
      // Layers that were fetched stay, under the digests that they have.
      const kept = filesBelow(work.cacheHome).filter(
        (path) => !/\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(path),
      );
      expect(kept).toEqual([]);
    });
  },
);
