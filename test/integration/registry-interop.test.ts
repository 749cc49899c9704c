import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mediaTypes, type Platform } from "../../src/archive/oci/types.ts";
import { openBaseStore } from "../../src/base/baseStore.ts";
import { layoutBlobPath } from "../../src/image/layoutFiles.ts";
import { openRegistryImage, type RegistryImage } from "../../src/image/openRegistryImage.ts";
import { downloadBlob, headBlob } from "../../src/registry/blobs.ts";
import { dockerTypes, getManifest, putManifest } from "../../src/registry/manifests.ts";
import { parseTag, type Tag } from "../../src/registry/reference.ts";
import type { ImageRepository } from "../../src/registry/registry.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { commandExists } from "../support/commandExists.ts";
import { directory, file, hostArchitecture, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";
import { pushLayout } from "../support/pushLayout.ts";
import { readWholeLayout } from "../support/readWholeImage.ts";
import {
  crane,
  dockerRegistryTrouble,
  type RealRegistry,
  startDockerRegistry,
} from "../support/realRegistry.ts";

const run = promisify(execFile);

/** Opens an image for a platform, its configuration read. */
async function resolveImage(
  repository: ImageRepository,
  tag: Tag,
  platform: Platform,
): Promise<RegistryImage> {
  const store = openBaseStore(join(tmpdir(), "spacktainers-interop-unused"));
  const image = await openRegistryImage(repository, tag, { platforms: [platform], store });
  await image.config();
  return image;
}

const trouble = dockerRegistryTrouble("htpasswd");
const note = (reason: string | undefined): string => (reason === undefined ? "" : ` (skipped: ${reason})`);
const absent = (name: string): string | undefined =>
  commandExists(name) ? undefined : `${name} is not installed`;
const other = hostArchitecture === "amd64" ? "arm64" : "amd64";
const host: Platform = { os: "linux", architecture: hostArchitecture };
const alice = { username: "alice", password: "alice-password" };

describe.skipIf(trouble !== undefined)(`other tools${note(trouble)}`, () => {
  let registry: RealRegistry;
  let locked: RealRegistry;
  let scratch: string;
  let layout: string;
  const opened: OpenedRepository[] = [];
  const at = (name: string): string => join(scratch, name);
  const open = (path: string, server = registry, options = {}): OpenedRepository => {
    const one = openRepository(`${server.host}/${path}`, options);
    opened.push(one);
    return one;
  };

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "spacktainers-interop-"));
    registry = await startDockerRegistry();
    locked = await startDockerRegistry({ users: { alice: alice.password } });
    layout = await writeTestLayout(at("layout"), {
      layers: [hostPrograms(["sh", "cat"]), [directory("data"), file("data/text", "what we pushed\n")]],
      config: { Env: ["PATH=/usr/bin:/bin"], Cmd: ["cat", "/data/text"] },
    });
    await writeTestLayout(at("other"), { layers: [[file("text", "other")]], architecture: other });
    await pushLayout(open("ours/image").repository, layout, "1");
  });
  afterAll(async () => {
    for (const one of opened) await one.close();
    await registry.close();
    await locked.close();
    await rm(scratch, { recursive: true, force: true });
  });

  describe.skipIf(!commandExists("skopeo"))(`skopeo${note(absent("skopeo"))}`, () => {
    // A file of no entries: whoever runs the tests may be logged in, or may not read what is in the usual place.
    const skopeo = (...args: string[]) => {
      writeFileSync(at("nobody.json"), "{}");
      const env = { ...process.env, REGISTRY_AUTH_FILE: at("nobody.json") };
      return run("skopeo", ["--insecure-policy", ...args], { cwd: scratch, env });
    };

    it("copies what we pushed, every blob verified", async () => {
      const from = `docker://${registry.host}/ours/image:1`;
      await skopeo("copy", "--preserve-digests", "--src-tls-verify=false", from, "oci:copied:1");
      const [ours, theirs] = [layout, at("copied")].map((path) => readWholeLayout(path, { platform: host }));
      expect((await theirs)?.manifestDigest).toBe((await ours)?.manifestDigest);
    });

    it("pushes what we pull", async () => {
      const to = `docker://${registry.host}/theirs/image:1`;
      await skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", `oci:${layout}`, to);
      const { repository } = open("theirs/image");
      const image = await resolveImage(repository, parseTag("1"), host);
      expect(image.manifest.descriptor.digest).toBe(
        (await readWholeLayout(layout, { platform: host })).manifestDigest,
      );
      mkdirSync(at("pulled"));
      for (const layer of await image.layers()) {
        const path = join(at("pulled"), layer.digest.slice(7));
        await downloadBlob(repository, layer, path);
        expect(readFileSync(path).equals(readFileSync(layoutBlobPath(layout, layer.digest)))).toBe(true);
      }
    });

    it("writes Docker's manifests, which we read", async () => {
      const to = `docker://${registry.host}/theirs/docker:1`;
      await skopeo("copy", "--format", "v2s2", "--dest-tls-verify=false", `oci:${layout}`, to);
      const { repository } = open("theirs/docker");
      expect((await getManifest(repository, parseTag("1")))?.mediaType).toBe(dockerTypes.manifest);
      const image = await resolveImage(repository, parseTag("1"), host);
      expect((await image.layers()).map(({ mediaType }) => mediaType)).toEqual([
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
      ]);
    });

    it("finds its way through an index of ours", async () => {
      const { repository } = open("ours/both");
      const manifests = [];
      for (const [path, architecture] of [
        [layout, hostArchitecture],
        [at("other"), other],
      ] as const) {
        const { manifest } = await pushLayout(repository, path, architecture);
        manifests.push({ ...manifest, platform: { os: "linux", architecture } });
      }
      const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
      const bytes = Buffer.from(JSON.stringify(index));
      await putManifest(repository, parseTag("both"), bytes, mediaTypes.index);
      for (const architecture of [hostArchitecture, other]) {
        const name = `docker://${registry.host}/ours/both:both`;
        const choice = ["--override-arch", architecture];
        const { stdout } = await skopeo(...choice, "inspect", "--tls-verify=false", name);
        expect(JSON.parse(stdout).Architecture).toBe(architecture);
        const ours = await resolveImage(repository, parseTag("both"), { os: "linux", architecture });
        expect((await ours.config()).value.architecture).toBe(architecture);
        expect(ours.root.digest).toBe(digestOf(bytes));
      }
    });

    it("logs in; its file serves us, and so does Podman's and Docker's", async () => {
      const file = at("auth.json");
      await run("skopeo", [
        "login",
        "--authfile",
        file,
        "--tls-verify=false",
        "-u",
        alice.username,
        "-p",
        alice.password,
        locked.host,
      ]);
      const { repository } = open("logged/in", locked, { env: { REGISTRY_AUTH_FILE: file } });
      const { outcomes } = await pushLayout(repository, layout, "1");
      expect(outcomes.size).toBe(3);
      mkdirSync(at("docker"));
      writeFileSync(join(at("docker"), "config.json"), readFileSync(file));
      const docker = open("logged/in", locked, { env: { DOCKER_CONFIG: at("docker") } });
      expect(await (await resolveImage(docker.repository, parseTag("1"), host)).layers()).toHaveLength(2);
      await expect(
        resolveImage(open("logged/in", locked).repository, parseTag("1"), host),
      ).rejects.toMatchObject({
        code: "ACCESS_DENIED",
        hint: expect.stringContaining(`podman login ${locked.host}`),
      });
    });
  });

  describe.skipIf(crane() === undefined)(
    `crane${note(crane() === undefined ? "crane is not installed" : undefined)}`,
    () => {
      it("finds nothing wrong with what we pushed", async () => {
        const { stdout, stderr } = await run(crane() ?? "", [
          "validate",
          "--remote",
          `${registry.host}/ours/image:1`,
        ]);
        expect(`${stdout}${stderr}`).toContain("PASS");
      });
    },
  );

  const podman = podmanTrouble();
  describe.skipIf(podman !== undefined)(`Podman${note(podman)}`, () => {
    it("pulls and runs what we pushed", () => {
      const folder = at("podman");
      const registries = at("registries.conf");
      writeFileSync(registries, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
      const env = {
        ...process.env,
        ...podmanEnvironment(folder),
        CONTAINERS_REGISTRIES_CONF: registries,
      };
      const name = `${registry.host}/ours/image:1`;
      const result = spawnSync("podman", ["run", "--rm", "--network=none", name], { env, encoding: "utf8" });
      spawnSync("podman", ["rmi", "--all", "--force"], { env });
      if (existsSync(join(folder, "storage/overlay"))) spawnSync("umount", [join(folder, "storage/overlay")]);
      expect(result.stderr).not.toContain("Error");
      expect(result.stdout).toBe("what we pushed\n");
    });
  });

  it("a base in the same registry is referred to, not copied", async () => {
    const { repository, other: another } = open("ours/image");
    const { outcomes } = await pushLayout(another("on/top"), layout, "1", { mountFrom: () => repository });
    expect(new Set(outcomes.values())).toEqual(new Set(["mounted"]));
    for (const digest of outcomes.keys()) expect(await headBlob(another("on/top"), digest)).toBeDefined();
  });
});
