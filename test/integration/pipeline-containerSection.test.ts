/** What `container:` of a manifest does to the image. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeSpec } from "../concretize/specs.ts";
import { makeWorkplace } from "../support/cli.ts";
import { packedSpec, specCache } from "../support/specCache.ts";
import { writeCache } from "../support/testCache.ts";

const work = makeWorkplace("caches: [{ url: cache, unsigned: true }]\nbase: { scratch: true }\n");
afterAll(() => work.remove());

beforeAll(async () => {
  const barn = makeSpec("barn", { modern: true });
  await writeCache(
    work.path("cache"),
    await specCache([barn], { archive: (spec) => packedSpec([barn], spec, { members: [] }) }),
  );
  const folder = work.path("container_definitions/amd64/yard");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/spack.yaml`,
    `spack:
  specs: [barn]
  container:
    images: { os: "ubuntu:24.04", spack: v1.1.0 }
    os_packages: { final: [vim-tiny] }
    labels: { org.example.app: x }
`,
  );
});

const said = [
  /4:.*images: os: ubuntu:24\.04.*another base/,
  /5:.*os_packages: final/,
  /4:.*spack: ref:|4:.*images: spack/,
];

describe("`container:` of a manifest", () => {
  it("is named by `check`, as far as it has no effect", async () => {
    const { stdout, stderr, status } = await work.run(["check", "yard"]);
    expect(status, stderr).toBe(0);
    for (const pattern of said) expect(stdout + stderr).toMatch(pattern);
    expect(stdout + stderr).not.toContain("org.example.app");
  });

  it("gives labels to the image that `build` makes; `build` names the rest, too", async () => {
    const { stderr, status } = await work.run(["build", "yard", "-o", "oci:yard"]);
    expect(status, stderr).toBe(0);
    for (const pattern of said) expect(stderr).toMatch(pattern);
    const read = (path: string) => JSON.parse(readFileSync(work.path("yard", path), "utf8"));
    const blob = (digest: string) => read(`blobs/${digest.replace(":", "/")}`);
    const manifest = blob(read("index.json").manifests[0].digest);
    expect(blob(manifest.config.digest).config.Labels).toMatchObject({ "org.example.app": "x" });
  });
});
