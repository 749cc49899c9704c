/** A base in every form that an image has: what can be one is, and the rest is refused in one error that says what to do. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layerEntries } from "../../src/image/layerEntries.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { platformOf } from "../../src/image/platform.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { unpackLayers } from "../../src/image/writeRootfs.ts";
import { writeSif, writeSquashfs } from "../../src/sif/writeSif.ts";
import type { Workplace } from "../support/cli.ts";
import { digestOfBuild } from "../support/cliChecks.ts";
import { squashfsTrouble } from "../support/everyForm.ts";
import { putLayout } from "../support/layoutImage.ts";
import { oldBase, rebasingPlace } from "../support/rebasing.ts";
import { smallBaseAllows } from "../support/smallBase.ts";

const trouble = squashfsTrouble();
let work: Workplace;
beforeAll(async () => {
  work = rebasingPlace(undefined);
  putLayout(work.path("layout"), { layers: [oldBase], config: { Env: ["WORD=of the base"] } });
  const image = await open("layout");
  await writeOciArchive(work.path("image.tar"), [image]);
  writeFileSync(work.path("image.tar.gz"), gzipSync(readFileSync(work.path("image.tar"))));
  await writeDockerArchive(work.path("docker.tar"), image, { reference: "base:1" });
  mkdirSync(work.path("sandbox/.singularity.d"), { recursive: true });
  await unpackLayers(work.path("sandbox"), await image.layers());
  if (trouble !== undefined) return;
  await writeSif(work.path("image.sif"), image);
  await writeSquashfs(work.path("image.sqfs"), image);
});
afterAll(() => work?.remove());

function configure(base: string): void {
  writeFileSync(
    work.path("spacktainers.yaml"),
    `caches:\n- {url: cache, trust: [cache.pub]}\nbase: ${base}\nlinkage: {allow-unresolved: ${JSON.stringify([...smallBaseAllows, "/bin/sh"])}}\n`,
  );
}
let machines = 0;
/** Variables of a machine on which nothing is kept. */
const bare = (): NodeJS.ProcessEnv => ({ XDG_CACHE_HOME: work.path(`home-${machines++}`) });
async function built(base: string, env = bare()): Promise<string> {
  configure(base);
  return digestOfBuild(await work.run(["--json", "build", "--force"], { env }));
}
const open = (layout: string) =>
  openLayout(work.path(layout), { platforms: [platformOf("amd64")], reference: undefined });
async function builtVariables(): Promise<readonly string[]> {
  return (await (await open("dist/amd64/hello-mpi")).config()).value.config?.Env ?? [];
}
async function pathsIn(layer: number): Promise<readonly string[]> {
  const image = await open("dist/amd64/hello-mpi");
  const found: string[] = [];
  const one = (await image.layers())[layer];
  if (one !== undefined) for await (const entry of layerEntries(one)) found.push(entry.path);
  return found;
}

describe("a base that is an OCI layout", () => {
  it("is the same as an archive, also one that is compressed, today and when it is known", async () => {
    const digest = await built("{oci: layout}");
    expect(await builtVariables()).toContain("WORD=of the base");
    for (const form of ["image.tar", "image.tar.gz"]) {
      const env = bare();
      expect(await built(`{oci: ${form}}`, env)).toBe(digest);
      expect(await built(`{oci: ${form}}`, env)).toBe(digest);
      // Nothing that was unpacked to read it is left.
      const archives = join(env.XDG_CACHE_HOME ?? "", "spacktainers/archives");
      expect(existsSync(archives) ? readdirSync(archives) : []).toEqual([]);
      for (const verb of ["lock", "plan"]) {
        const done = await work.run([verb, "hello-mpi"], { env });
        expect(done.stderr).not.toMatch(/ error {2}/);
      }
      await work.run(["lock", "--force"], { env });
    }
  });
});

describe.skipIf(trouble !== undefined)(
  `a root file system in an Apptainer image${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    it.each(["image.sif", "image.sqfs"])("is unpacked from %s, and the same every time", async (form) => {
      const digest = await built(`{rootfs: ${form}}`);
      expect(await pathsIn(0)).toContain("lib/x86_64-linux-gnu/libc.so.6");
      // A squashfs file says nothing of how it is run.
      expect((await builtVariables()).includes("WORD=of the base")).toBe(form === "image.sif");
      expect(await built(`{rootfs: ${form}}`)).toBe(digest);
    });

    it("is nothing that a Dockerfile can start from", async () => {
      configure("{rootfs: image.sif}");
      const result = await work.run(["dockerfile", "hello-mpi"]);
      expect(result.status).not.toBe(0);
      expect(result.stderr).toMatch(/image\.sif {2}error {2}NOT_SUPPORTED/);
    });
  },
);

describe("what can be no base", () => {
  it.each([
    ["{oci: docker.tar}", /docker\.tar.* error {2}NOT_FOUND[\s\S]*hint: .*skopeo copy docker-archive:/],
    [
      "{rootfs: docker.tar}",
      /docker\.tar {2}error {2}BASE_INVALID[\s\S]*hint: .*skopeo copy docker-archive:/,
    ],
    ["{rootfs: image.tar}", /image\.tar {2}error {2}BASE_INVALID[\s\S]*hint: name it with `base: oci:`/],
    [
      "{rootfs: image.tar.gz}",
      /image\.tar\.gz {2}error {2}BASE_INVALID[\s\S]*hint: name it with `base: oci:`/,
    ],
    ["{rootfs: sandbox}", /sandbox {2}error {2}BASE_INVALID[\s\S]*hint: .*tar --numeric-owner/],
    ["{rootfs: layout}", /layout {2}error {2}BASE_INVALID/],
    ["{oci: sandbox}", /sandbox {2}error {2}NOT_FOUND.*not an OCI image layout/],
    ["{oci: nothing}", /nothing {2}error {2}NOT_FOUND/],
  ])("base: %s is refused in one error", async (base, said) => {
    configure(base);
    const env = bare();
    const result = await work.run(["build", "--force", "-o", "oci:refused"], { env });
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(said);
    expect(result.stderr.match(/\berror {2}/g)).toHaveLength(1);
    expect(existsSync(work.path("refused"))).toBe(false);
  });
});

describe("rebase --base", () => {
  it("takes a layout and its archives, and makes what a build on them makes", async () => {
    // On one machine: what is in the layers of the image has to be known.
    const digest = await built("{oci: layout}", {});
    for (const base of ["oci:layout", "oci-archive:image.tar", "oci-archive:image.tar.gz"]) {
      await built("{rootfs: base.tar}", {});
      const args = ["rebase", "oci:dist/amd64/hello-mpi", "--base", base, "-o", "oci:on-it", "--force"];
      const result = await work.run(args);
      expect(result.status, result.stderr).toBe(0);
      const index = JSON.parse(readFileSync(work.path("on-it/index.json"), "utf8"));
      expect(index.manifests[0].digest).toBe(digest);
    }
  });

  it("says what to do with other forms", async () => {
    for (const [base, hint] of [
      ["docker-archive:docker.tar", /skopeo copy docker-archive:docker\.tar oci:DIR/],
      ["image.sif", /rootfs:FILE \(a tar, SIF or squashfs file\)/],
    ] as const) {
      const result = await work.run(["rebase", "hello-mpi", "--base", base]);
      expect(result.status).toBe(2);
      expect(result.stderr).toMatch(hint);
    }
  });
});
