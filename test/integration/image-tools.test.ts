import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompressionFormat, compressionSettings } from "../../src/archive/layerCompression.ts";
import { layerMediaType } from "../../src/archive/oci/types.ts";
import { writeFragment } from "../../src/archive/writeFragment.ts";
import { fileLayer } from "../../src/image/fileLayer.ts";
import type { OciImage } from "../../src/image/image.ts";
import { joinFragments } from "../../src/image/joinFragments.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { writeOciLayout } from "../../src/image/writeOciLayout.ts";
import { writeRootfs } from "../../src/image/writeRootfs.ts";
import { directory, entriesOf, file, hardlink, symlink } from "../archive/streams.ts";
import { image, layer } from "../image/fixtures.ts";
import { commandExists } from "../support/commandExists.ts";

const run = promisify(execFile);
const isRoot = process.geteuid?.() === 0;
const missing = (name: string): string => (commandExists(name) ? "" : ` (skipped: ${name} is not installed)`);

describe.each<CompressionFormat>(["gzip", "zstd"])("an image of %s layers", (format) => {
  let scratch: string;
  let made: OciImage;
  const at = (name: string): string => join(scratch, name);

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "spacktainers-tools-"));
    const base = await layer(
      scratch,
      "base",
      [
        directory("bin"),
        file("bin/tool", "#!/bin/sh\n", { mode: 0o4755 }),
        file("lower", "hidden by a whiteout"),
        directory("etc"),
        file("etc/text", Buffer.alloc(2_000_000, "many bytes ")),
      ],
      format,
    );
    const parts = [];
    for (const name of ["a", "b"]) {
      const path = at(`part-${name}`);
      const entries = [
        directory(`opt/software/${name}`),
        file(`opt/software/${name}/${"long/".repeat(40)}file`, name),
        file(`opt/software/${name}/ünï`, name),
        hardlink(`opt/software/${name}/hard`, `opt/software/${name}/ünï`),
        symlink(`opt/software/${name}/soft`, "../nowhere"),
      ];
      parts.push({
        path,
        ...(await writeFragment(path, entriesOf(entries), {
          whiteouts: "keep",
          compression: compressionSettings(format),
        })),
      });
    }
    const { digest, size, diffId } = await joinFragments(at("joined"), parts);
    const facts = { digest, size, diffId, mediaType: layerMediaType(format), annotations: undefined };
    const joined = fileLayer(
      { ...facts, createdBy: "spacktainers: a, b" },
      { path: at("joined"), offset: 0, size },
    );
    const top = await layer(
      scratch,
      "top",
      [file(".wh.lower", ""), file("etc/top", "top"), symlink("lib", "etc")],
      format,
    );
    // A fragment brings the directories above its files, and a directory takes the place of a link.
    const onTop = await layer(scratch, "on-top", [file("lib/through", "not through the link")], format);
    made = image([base, joined, top, onTop], { labels: { "org.opencontainers.image.title": "test" } });
    await writeOciLayout(at("layout"), [made], { reference: "hello:1" });
    await writeOciArchive(at("oci.tar"), [made], { reference: "hello:1" });
    await writeDockerArchive(at("docker.tar"), made, { reference: "localhost/hello:1" });
    await writeRootfs(at("rootfs"), await made.layers(), { stateDirectory: at("state") });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  describe.skipIf(!commandExists("skopeo"))(`skopeo${missing("skopeo")}`, () => {
    it.each(["oci:layout:hello:1", "oci-archive:oci.tar:hello:1"])("inspects %s", async (reference) => {
      const { stdout } = await run("skopeo", ["inspect", reference], { cwd: scratch });
      expect(JSON.parse(stdout)).toMatchObject({
        Digest: made.manifest.descriptor.digest,
        Architecture: "amd64",
        Os: "linux",
        Layers: made.manifest.value.layers.map((item) => item.digest),
        Env: ["PATH=/opt/view/bin:/bin", "LANG=C"],
      });
    });

    it("copies all three without complaint, blobs verified", async () => {
      for (const [index, reference] of [
        "oci:layout:hello:1",
        "oci-archive:oci.tar:hello:1",
        "docker-archive:docker.tar",
      ].entries()) {
        await run("skopeo", ["--insecure-policy", "copy", reference, `dir:copy-${index}`], { cwd: scratch });
        const manifest = JSON.parse(readFileSync(at(`copy-${index}/manifest.json`), "utf8"));
        expect(manifest.layers.length).toBe(4);
        expect(manifest.config.digest).toBe(made.manifest.value.config.digest);
      }
    });
  });

  const oldUmoci = format === "zstd" ? " (skipped: umoci 0.4 does not know zstd)" : "";
  describe.skipIf(!commandExists("umoci") || oldUmoci !== "")(`umoci${missing("umoci")}${oldUmoci}`, () => {
    it("unpacks the same files as we do", async () => {
      const rootless = isRoot ? [] : ["--rootless"];
      await run("umoci", ["unpack", ...rootless, "--image", "layout:hello:1", "bundle"], { cwd: scratch });
      const find = async (directory: string): Promise<string> =>
        (await run("find", [".", "-printf", "%p %y %m %s %l %U %n\n"], { cwd: directory })).stdout
          .split("\n")
          // Sizes of directories are the file system's affair.
          .map((line) => line.replace(/ d (\d+) \d+ /, " d $1 "))
          .filter((line) => !line.startsWith(". "))
          .sort()
          .join("\n");
      const theirs = await find(at("bundle/rootfs"));
      expect(theirs).toMatch(/^\.\/bin\/tool f 4755 /m);
      // An ordinary user's files lend nobody this user's rights: we take the set-user-ID bit away, umoci does not.
      const expected = isRoot ? theirs : theirs.replace(/^(\.\/bin\/tool f )4755 /m, "$1755 ");
      expect(await find(at("rootfs"))).toBe(expected);
      const difference = spawnSync("diff", ["-r", "--no-dereference", at("rootfs"), at("bundle/rootfs")]);
      expect(difference.stdout.toString()).toBe("");
      expect(readFileSync(at("rootfs/lib/through"), "utf8")).toBe("not through the link");
    });
  });

  describe.skipIf(!commandExists("podman") || !commandExists("conmon"))(
    `podman${missing("podman")}${missing("conmon")}`,
    () => {
      it.each(["oci.tar", "docker.tar"])("loads %s under its name", async (archive) => {
        const storage = at(`storage-${archive}`);
        mkdirSync(storage);
        writeFileSync(
          join(storage, "storage.conf"),
          `[storage]\ndriver = "vfs"\ngraphroot = "${storage}/root"\nrunroot = "${storage}/run"\n`,
        );
        const env = { ...process.env, CONTAINERS_STORAGE_CONF: join(storage, "storage.conf") };
        const { stdout } = await run("podman", ["load", "-q", "-i", archive], { cwd: scratch, env });
        expect(stdout).toMatch(/localhost\/hello:1/);
        const inspected = await run("podman", ["inspect", "localhost/hello:1"], { env });
        const [facts] = JSON.parse(inspected.stdout);
        expect(facts.Id).toBe(made.manifest.value.config.digest.slice("sha256:".length));
        expect(facts.RootFS.Layers).toEqual((await made.layers()).map((item) => item.diffId));
        expect(facts.Config.Entrypoint).toEqual([
          "/bin/bash",
          "--rcfile",
          "/etc/profile",
          "-l",
          "-c",
          "$*",
          "--",
        ]);
        await run("podman", ["rmi", "-f", "localhost/hello:1"], { env });
      });
    },
  );

  describe.skipIf(!commandExists("pigz") || format !== "gzip")(`pigz${missing("pigz")}`, () => {
    it("accepts a layer of several members", async () => {
      await run("pigz", ["-t", "-c", at("joined")]);
      await run("gzip", ["-t", "-c", at("joined")]).catch(() =>
        run("sh", ["-c", 'gzip -t < "$1"', "sh", at("joined")]),
      );
    });
  });

  describe.skipIf(!commandExists("zstd") || format !== "zstd")(`zstd${missing("zstd")}`, () => {
    it("accepts a layer of several frames", async () => {
      await run("zstd", ["-t", at("joined")]);
    });
  });
});
