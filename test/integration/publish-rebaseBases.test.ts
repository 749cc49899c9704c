/** `rebase` on bases of every kind, and of images for several architectures. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ImageManifest, mediaTypes } from "../../src/archive/oci/types.ts";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { readBlobBytes } from "../../src/registry/blobs.ts";
import { getManifest, putManifest } from "../../src/registry/manifests.ts";
import { pushBlob } from "../../src/registry/pushBlob.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import type { Workplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal } from "../support/cliChecks.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { putLayout } from "../support/layoutImage.ts";
import { dockerRegistryTrouble, startDockerRegistry } from "../support/realRegistry.ts";
import { bareMachine, oldBase, patchedBase, rebaseRows, rebasingPlace } from "../support/rebasing.ts";
import { putImage, putIndex } from "../support/remoteImage.ts";

const baseName = "org.opencontainers.image.base.name";
const baseDigest = "org.opencontainers.image.base.digest";

const kinds = [
  { name: "a registry", trouble: undefined, start: startFakeRegistry },
  { name: "Debian's registry", trouble: dockerRegistryTrouble(), start: startDockerRegistry },
] as const;

for (const { name, trouble, start } of kinds)
  describe.skipIf(trouble !== undefined)(
    `rebase in ${name}${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    () => {
      let registry: { readonly host: string; close(): Promise<void> };
      let opened: OpenedRepository;
      let work: Workplace;
      beforeEach(async () => {
        registry = await start();
        // Whatever stays unresolved: the images for arm64 of these tests are made of programs for amd64.
        work = rebasingPlace(registry.host, { allow: ["*"] });
        opened = openRepository(`${registry.host}/org/spack-hello-mpi`);
        const pushed = await work.run(["push", "--json"]);
        expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
      });
      afterEach(async () => {
        work.remove();
        await opened.close();
        await registry.close();
      });

      const reference = (tag: string): string => `${registry.host}/org/spack-hello-mpi:${tag}`;

      async function manifestOf(what: Digest | string): Promise<{
        readonly digest: Digest;
        readonly manifest: ImageManifest & { readonly manifests?: ImageManifest["layers"] };
      }> {
        const found = await getManifest(
          opened.repository,
          what.startsWith("sha256:") ? (what as Digest) : parseTag(what),
        );
        if (found === undefined) throw new Error(`there is no ${what}`);
        return { digest: found.digest, manifest: JSON.parse(Buffer.from(found.bytes).toString("utf8")) };
      }

      /** Configures a base, and builds on it from nothing. */
      async function built(base: string): Promise<string> {
        const text = `caches:\n- {url: cache, trust: [cache.pub]}\nbase: ${base}\nlinkage: {allow-unresolved: ["*"]}\n`;
        writeFileSync(work.path("spacktainers.yaml"), text);
        return digestOfBuild(await work.run(["--json", "build"], { env: bareMachine(work).env }));
      }

      async function rebased(base: string, tag: string): Promise<string | undefined> {
        const result = await work.run(
          ["rebase", reference("latest"), "--base", base, "--tag", tag, "--json"],
          bareMachine(work),
        );
        expect(result.status, result.stdout + result.stderr).toBe(0);
        return rebaseRows(result)[0]?.digest;
      }

      it("on an image of the registry is what a build on it is, with its name and digest", async () => {
        const [amd64] = await putIndex(openRepository(`${registry.host}/base/small`).repository, "2", [
          { layers: [patchedBase], config: { Env: ["PATH=/bin", "OF_BASE=yes"] } },
          { layers: [oldBase], architecture: "arm64" },
        ]);
        const image = `${registry.host}/base/small:2`;
        const digest = await rebased(`image:${image}`, "on-image");
        const { manifest } = await manifestOf("on-image");
        expect(manifest.annotations).toMatchObject({ [baseName]: image, [baseDigest]: amd64?.digest });
        const config = JSON.parse(
          (await readBlobBytes(opened.repository, manifest.config, 2 ** 20)).toString("utf8"),
        );
        expect(config.config.Labels).toMatchObject({ [baseName]: image, [baseDigest]: amd64?.digest });
        expect(config.config.Env).toContain("OF_BASE=yes");
        expect(digest).toBe(await built(`{image: "${image}"}`));
        // From there to a base without a digest: none is left behind.
        const back = await work.run(
          ["rebase", reference("on-image"), "--base", `rootfs:${work.path("base.tar")}`, "--json"],
          bareMachine(work),
        );
        expect(back.status, back.stdout + back.stderr).toBe(0);
        const after = await manifestOf("on-image");
        expect(after.manifest.annotations).toMatchObject({ [baseName]: "rootfs" });
        expect(after.manifest.annotations).not.toHaveProperty([baseDigest]);
        expect(after.digest).toBe((await manifestOf("latest")).digest);
      });

      it("on an image of a layout is what a build on it is, with its digest", async () => {
        const there = putLayout(work.path("layout"), { layers: [patchedBase] });
        const digest = await rebased(`oci:${work.path("layout")}`, "on-layout");
        const { manifest } = await manifestOf("on-layout");
        expect(manifest.annotations).toMatchObject({ [baseName]: "oci", [baseDigest]: there });
        expect(digest).toBe(await built("{oci: layout}"));
      });

      it("on nothing is what a build without a base is", async () => {
        expect(await rebased("scratch", "on-nothing")).toBe(await built("{scratch: true}"));
      });

      /** Puts the image under a tag, for both architectures: the same layers, and a configuration that says arm64. */
      async function putBoth(tag: string): Promise<readonly [amd64: Digest, arm64: Digest]> {
        const { repository } = opened;
        const { digest, manifest } = await manifestOf("latest");
        const config = JSON.parse(
          (await readBlobBytes(repository, manifest.config, 2 ** 20)).toString("utf8"),
        );
        const other = Buffer.from(JSON.stringify({ ...config, architecture: "arm64", variant: "v8" }));
        await pushBlob(repository, bytesBlob(other, "a configuration"));
        const bytes = Buffer.from(
          JSON.stringify({
            ...manifest,
            config: { ...manifest.config, digest: digestOf(other), size: other.length },
          }),
        );
        const arm64 = digestOf(bytes);
        await putManifest(repository, arm64, bytes, mediaTypes.manifest);
        const before = await getManifest(repository, digest);
        const describe = (architecture: string, one: Digest, size: number) => ({
          mediaType: mediaTypes.manifest,
          digest: one,
          size,
          platform: { os: "linux", architecture },
        });
        const index = {
          schemaVersion: 2,
          mediaType: mediaTypes.index,
          manifests: [
            describe("amd64", digest, before?.bytes.length ?? 0),
            describe("arm64", arm64, bytes.length),
          ],
        };
        await putManifest(repository, parseTag(tag), Buffer.from(JSON.stringify(index)), mediaTypes.index);
        return [digest, arm64];
      }

      it("of an index rebases every image in it, and the tag stands for one new index", async () => {
        const before = await putBoth("both");
        writeFileSync(work.path("new.tar"), patchedBase);
        const base = `rootfs:${work.path("new.tar")}`;
        const dry = await work.run(["rebase", reference("both"), "--base", base, "--dry-run", "--json"]);
        expect(rebaseRows(dry).map(({ arch, pushed }) => [arch, pushed])).toEqual([
          ["amd64", []],
          ["arm64", []],
        ]);
        const result = await work.run(
          ["rebase", reference("both"), "--base", base, "--json"],
          bareMachine(work),
        );
        expect(result.status, result.stdout + result.stderr).toBe(0);
        const rows = rebaseRows(result);
        expect(rows).toMatchObject([
          { arch: "amd64", upToDate: false, pushed: [{ tags: ["both"], failed: false }] },
          { arch: "arm64", upToDate: false, pushed: [{ tags: ["both"], failed: false }] },
        ]);
        const { manifest } = await manifestOf("both");
        expect(manifest.mediaType).toBe(mediaTypes.index);
        expect(manifest.manifests).toMatchObject([
          { digest: rows[0]?.digest, platform: { architecture: "amd64" } },
          { digest: rows[1]?.digest, platform: { architecture: "arm64" } },
        ]);
        for (const digest of before) expect(rows.map((row) => row.digest)).not.toContain(digest);
        // Each of them has its bill of materials.
        for (const arch of ["amd64", "arm64"]) {
          const bill = await work.run(["sbom", reference("both"), "--arch", arch]);
          expect(bill.status, bill.stderr).toBe(0);
          expect(JSON.parse(bill.stdout).name).toBe(`hello-mpi-1.0.0-${arch}`);
          expect(bill.stdout).toContain("2.36-9+deb12u9");
        }
        // Another name is an index as well; a second time there is nothing to do.
        const again = await work.run([
          "rebase",
          reference("both"),
          "--base",
          base,
          "--tag",
          "more",
          "--json",
        ]);
        expect(rebaseRows(again).map(({ upToDate }) => upToDate)).toEqual([true, true]);
        expect((await manifestOf("more")).digest).toBe((await manifestOf("both")).digest);
      });

      it("of an index is refused when the base is not there for one architecture, and nothing is published", async () => {
        const [, arm64] = await putBoth("both");
        const { digest: before } = await manifestOf("both");
        putLayout(work.path("layout"), { layers: [patchedBase] });
        const base = ["--base", `oci:${work.path("layout")}`];
        expectRefusal(await work.run(["-q", "rebase", reference("both"), ...base], bareMachine(work)), {
          code: "NOT_FOUND",
          status: 4,
          says: /for arm64: there is no image for linux\/arm64/,
          warnings: [/warning {2}only an unsigned bill of materials records/],
        });
        expect((await manifestOf("both")).digest).toBe(before);
        const dry = await work.run([
          "rebase",
          reference("both"),
          ...base,
          "--arch",
          "amd64",
          "--dry-run",
          "--json",
        ]);
        const made = rebaseRows(dry)[0]?.digest as Digest;
        expect(await getManifest(opened.repository, made)).toBeUndefined();

        // The one that can be is asked for alone; the other stays what it was.
        const one = await work.run(["rebase", reference("both"), ...base, "--arch", "amd64", "--json"]);
        expect(one.status, one.stdout + one.stderr).toBe(0);
        const [row] = rebaseRows(one);
        expect((await manifestOf("both")).manifest.manifests).toMatchObject([
          { digest: row?.digest, platform: { architecture: "amd64" } },
          { digest: arm64, platform: { architecture: "arm64" } },
        ]);
        expectRefusal(
          await work.run(
            ["-q", "rebase", reference("latest"), ...base, "--arch", "arm64"],
            bareMachine(work),
          ),
          { code: "NOT_FOUND", status: 4, says: /there is no such image for arm64/ },
        );
      });

      it("of one image does not care what else is under other names", async () => {
        await putImage(opened.repository, "foreign", { layers: [oldBase] });
        expectRefusal(await work.run(["-q", "rebase", reference("foreign")], bareMachine(work)), {
          code: "NOT_SUPPORTED",
          status: 1,
        });
      });
    },
  );
