import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildBase, planBase } from "../../src/base/buildBase.ts";
import type { Base } from "../../src/base/types.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { platformOf } from "../../src/image/platform.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { putLayout } from "../support/layoutImage.ts";
import { smallBase } from "../support/smallBase.ts";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oci-base-"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "home"));
  putLayout(join(folder, "layout"), {
    layers: [smallBase({ packages: { libc6: "2.36-9" } })],
    config: { Env: ["A=b"] },
  });
  const query = { platforms: [platformOf("amd64")], reference: undefined };
  const image = await openLayout(join(folder, "layout"), query);
  await writeOciArchive(join(folder, "image.tar"), [image]);
  writeFileSync(join(folder, "image.tar.gz"), gzipSync(readFileSync(join(folder, "image.tar"))));
  await writeDockerArchive(join(folder, "docker.tar"), image, { reference: "base:1" });
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

let caches = 0;
const options = () => ({
  architecture: "amd64" as const,
  cacheDir: join(folder, `cache-${caches++}`),
  emit: () => {},
});
const spec = (name: string) => ({ kind: "oci", path: join(folder, name) }) as const;

/** The base, and the bytes of its layers. */
async function contents(base: Base): Promise<object> {
  const layers = await Promise.all(
    base.layers.map(async (layer) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of layer.blob()) chunks.push(chunk);
      return [layer.digest, Buffer.concat(chunks).length];
    }),
  );
  const { key, config, packages, inventory } = base;
  return { key, config, packages, inventory, layers };
}

describe("a base in an OCI layout", () => {
  it.each(["image.tar", "image.tar.gz"])(
    "is the same in the archive %s, built and found again",
    async (name) => {
      const wanted = await contents(await buildBase(spec("layout"), options()));
      expect(wanted).toMatchObject({ config: { env: ["A=b"] }, packages: [{ name: "libc6" }] });
      const used = options();
      expect(await contents(await buildBase(spec(name), used))).toEqual(wanted);
      const found = await (await planBase(spec(name), used)).find();
      expect(found && (await contents(found))).toEqual(wanted);
    },
  );

  it("leaves nothing unpacked of an archive that is compressed as a whole, also when it is refused", async () => {
    await buildBase(spec("image.tar.gz"), options());
    writeFileSync(join(folder, "docker.tar.gz"), gzipSync(readFileSync(join(folder, "docker.tar"))));
    await expect(buildBase(spec("docker.tar.gz"), options())).rejects.toMatchObject({ code: "NOT_FOUND" });
    const other = { ...options(), architecture: "arm64" as const };
    await expect(buildBase(spec("image.tar.gz"), other)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(readdirSync(join(folder, "home/spacktainers/archives"))).toEqual([]);
  });

  it("says how to convert an archive without a layout", async () => {
    await expect(buildBase(spec("docker.tar"), options())).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: expect.stringContaining(`skopeo copy docker-archive:${join(folder, "docker.tar")} oci:DIR`),
    });
  });
});
