import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBaseStore } from "../../src/base/baseStore.ts";
import { buildBase, planBase } from "../../src/base/buildBase.ts";
import type { Base, BuildBaseOptions } from "../../src/base/types.ts";
import type { RepositoryName } from "../../src/registry/reference.ts";
import type { ImageRepository } from "../../src/registry/registry.ts";
import type { Digest } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { plainData } from "../support/plainData.ts";
import { putImage, putIndex } from "../support/remoteImage.ts";
import { smallBase } from "../support/smallBase.ts";
import { buildTar } from "../support/tarBuilder.ts";

const lower = smallBase({ packages: { libc6: "2.36-9", tzdata: "2024a" } });
const upper = buildTar([
  { name: "etc", type: "5", mode: 0o755 },
  { name: "etc/.wh.ld.so.conf" },
  { name: "etc/motd", body: "hello" },
]);

let registry: FakeRegistry;
let opened: OpenedRepository;
let folder: string;
beforeEach(async () => {
  registry = await startFakeRegistry();
  opened = openRepository(`${registry.host}/library/small`);
  folder = mkdtempSync(join(tmpdir(), "image-base-"));
});
afterEach(async () => {
  await opened.close();
  await registry.close();
  rmSync(folder, { recursive: true });
});

function options(more: Partial<BuildBaseOptions> = {}): BuildBaseOptions {
  return {
    architecture: "amd64",
    cacheDir: join(folder, "cache"),
    emit: () => {},
    repository: ({ path }: RepositoryName) => opened.other(path),
    ...more,
  };
}

const named = (rest: string) =>
  ({ kind: "image", reference: `${registry.host}/library/small${rest}` }) as const;

/** Blobs that were asked for since the last call. */
function downloads(): readonly string[] {
  const blobs = registry.requests
    .splice(0)
    .filter(({ method, path }) => method === "GET" && path.includes("/blobs/"))
    .map(({ path }) => decodeURIComponent(path.slice(path.lastIndexOf("/") + 1)));
  return blobs;
}

describe("a base that is an image in a registry", () => {
  it("is what its layers show, whiteouts applied, with its packages and its configuration", async () => {
    const config = { Env: ["PATH=/usr/bin", "LANG=C.UTF-8"], User: "1000", Labels: { maintainer: "me" } };
    const image = await putImage(opened.repository, "12", { layers: [lower, upper], config });
    const base = await buildBase(named(":12"), options());
    expect(base.layers.map(({ digest }) => digest)).toEqual(image.layers);
    expect(base.layers.every(({ origin }) => origin === `${registry.host}/library/small`)).toBe(true);
    const paths = base.inventory.entries.map(({ path }) => path);
    expect(paths).toContain("etc/motd");
    expect(paths).not.toContain("etc/ld.so.conf");
    expect(base.packages).toMatchObject([
      { name: "libc6", version: "2.36-9" },
      { name: "tzdata", version: "2024a" },
    ]);
    expect(base.libcVersion).toBe("2.36");
    expect(base.config).toMatchObject({ env: config.Env, user: "1000", labels: config.Labels });
  });

  it("is the same by tag and by digest, and stays so when the tag moves", async () => {
    const first = await putImage(opened.repository, "12", { layers: [lower] });
    const byTag = await planBase(named(":12"), options());
    expect(byTag.image).toEqual({ name: `${registry.host}/library/small:12`, digest: first.digest });
    await putImage(opened.repository, "12", { layers: [lower, upper] });
    const byDigest = await planBase(named(`@${first.digest}`), options());
    const both = await planBase(named(`:12@${first.digest}`), options());
    const locked = await planBase(named(":12"), options({ lock: { packages: [], digest: first.digest } }));
    expect([byDigest.key, both.key, locked.key]).toEqual([byTag.key, byTag.key, byTag.key]);
    const moved = await planBase(named(":12"), options());
    expect(moved.key).not.toBe(byTag.key);
    expect(moved.layerCount).toBe(2);
  });

  it("is taken for the architecture of the image", async () => {
    const [amd64, arm64] = await putIndex(opened.repository, "12", [
      { layers: [lower] },
      { layers: [upper], architecture: "arm64" },
    ]);
    expect((await planBase(named(":12"), options())).image?.digest).toBe(amd64?.digest);
    expect((await planBase(named(":12"), options({ architecture: "arm64" }))).image?.digest).toBe(
      arm64?.digest,
    );
    await putIndex(opened.repository, "13", [{ layers: [lower] }]);
    await expect(planBase(named(":13"), options({ architecture: "arm64" }))).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: expect.stringContaining("linux/amd64"),
    });
  });

  it("is downloaded once; what is known of a layer is kept apart from its bytes", async () => {
    const { layers } = await putImage(opened.repository, "12", { layers: [lower, upper] });
    const first = await buildBase(named(":12"), options());
    expect(downloads()).toEqual(expect.arrayContaining([...layers]));
    const again = await buildBase(named(":12"), options());
    // A layer is known by its file once it is here.
    const facts = ({ layers, ...rest }: Base) =>
      plainData({ ...rest, layers: layers.map((layer) => ({ ...layer, place: undefined })) });
    expect(facts(again)).toEqual(facts(first));
    expect(downloads().filter((digest) => layers.includes(digest as Digest))).toEqual([]);

    // Another image with a layer more, on a machine that threw the bytes away.
    const store = openBaseStore(join(folder, "cache"));
    for (const { extent } of first.layers) rmSync(extent?.path ?? "");
    const more = buildTar([{ name: "opt", type: "5", mode: 0o755 }]);
    const second = await putImage(opened.repository, "12", { layers: [lower, upper, more] });
    const nowhere = { find: async () => undefined };
    const base = await (await planBase(named(":12"), options())).build(nowhere);
    expect(downloads().filter((digest) => second.layers.includes(digest as Digest))).toEqual([
      second.layers[2],
    ]);
    expect(base.layers.map(({ extent }) => extent !== undefined)).toEqual([false, false, true]);
    expect(base.inventory.entries.map(({ path }) => path)).toContain("etc/motd");
    // Whoever writes an image here needs the bytes after all.
    const whole = await buildBase(named(":12"), options());
    expect(whole.inventory).toEqual(base.inventory);
    for (const { digest } of whole.layers) expect(await store.layers.find(digest)).toBeDefined();
  });

  it("is refused when the registry sends something else, and nothing of it is kept", async () => {
    const { layers, digest } = await putImage(opened.repository, "12", { layers: [lower] });
    const blobs = registry.blobs.get("library/small");
    const [layer] = layers;
    const bytes = blobs?.get(layer ?? "") ?? Buffer.alloc(0);
    blobs?.set(layer ?? "", Buffer.alloc(bytes.length, 1));
    await expect(buildBase(named(":12"), options())).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    expect(await openBaseStore(join(folder, "cache")).layers.find(layer as Digest)).toBeUndefined();
    blobs?.set(layer ?? "", bytes);
    await expect(buildBase(named(":12"), options())).resolves.toBeDefined();

    // A manifest that is not what its digest says.
    const stored = registry.manifests.get("library/small");
    const manifest = stored?.get(digest);
    if (manifest === undefined) throw new Error("no manifest");
    stored?.set(digest, { ...manifest, bytes: Buffer.concat([manifest.bytes, Buffer.from(" ")]) });
    await expect(planBase(named(`@${digest}`), options())).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
  });

  it("is refused when a layer is not what the configuration says", async () => {
    await putImage(opened.repository, "12", { layers: [lower] });
    const stored = registry.manifests.get("library/small")?.get("12");
    const manifest = JSON.parse(stored?.bytes.toString() ?? "{}");
    const blobs = registry.blobs.get("library/small");
    const config = JSON.parse(blobs?.get(manifest.config.digest)?.toString() ?? "{}");
    config.rootfs.diff_ids = [`sha256:${"0".repeat(64)}`];
    const changed = Buffer.from(JSON.stringify(config));
    const digest = registry.put("library/small", changed);
    registry.putManifest(
      "library/small",
      "12",
      { ...manifest, config: { ...manifest.config, digest, size: changed.length } },
      manifest.mediaType,
    );
    await expect(buildBase(named(":12"), options())).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("understands Docker's short names", async () => {
    const asked: RepositoryName[] = [];
    const repository = (name: RepositoryName): ImageRepository => {
      asked.push(name);
      return opened.other("library/small");
    };
    await putImage(opened.repository, "latest", { layers: [lower] });
    for (const reference of ["debian", "grafana/grafana", "docker.io/debian"])
      await planBase({ kind: "image", reference }, options({ repository }));
    expect(asked.map(({ host, path }) => `${host}/${path}`)).toEqual([
      "docker.io/library/debian",
      "docker.io/grafana/grafana",
      "docker.io/library/debian",
    ]);
  });

  it("tells what is wrong with a name, and where nothing can be asked", async () => {
    await expect(planBase({ kind: "image", reference: "Deb ian" }, options())).rejects.toMatchObject({
      code: "REFERENCE_INVALID",
    });
    await expect(planBase(named(":none"), options())).rejects.toMatchObject({ code: "NOT_FOUND" });
    const { repository: _, ...rest } = options();
    await expect(planBase(named(":12"), rest)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});
