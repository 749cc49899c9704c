import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { mediaTypes, type Platform } from "../../src/archive/oci/types.ts";
import { openBaseStore } from "../../src/base/baseStore.ts";
import { layerEntries } from "../../src/image/layerEntries.ts";
import { openRegistryImage } from "../../src/image/openRegistryImage.ts";
import { platformText } from "../../src/image/platform.ts";
import { dockerTypes } from "../../src/registry/manifests.ts";
import { parseTag, type Tag } from "../../src/registry/reference.ts";
import type { ImageRepository } from "../../src/registry/registry.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { tarOf } from "../sif/layers.ts";
import { type FakeRegistry, ociIndex, ociManifest, startFakeRegistry } from "../support/fakeRegistry.ts";
import { file } from "../support/hostImage.ts";
import { plainData } from "../support/plainData.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };
const tag = parseTag("1");

const folder = mkdtempSync(join(tmpdir(), "spacktainers-registry-image-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Opens an image and reads what says what it is. */
async function resolveImage(repository: ImageRepository, reference: Tag | Digest, platform: Platform) {
  const store = openBaseStore(folder);
  const image = await openRegistryImage(repository, reference, { platforms: [platform], store });
  const [config, layers] = [await image.config(), await image.layers()];
  return { image, root: image.root, config: config.value, layers };
}

function parsePlatform(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

describe("openRegistryImage", () => {
  let registry: FakeRegistry;
  let opened: OpenedRepository;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    opened = openRepository(`${registry.host}/a/b`);
  });
  afterEach(async () => {
    await opened.close();
    await registry.close();
  });

  /** Puts an image; the parts of its manifest can be others. */
  function image(
    platform: Platform,
    changes: { layerType?: string; type?: string; diffIds?: Digest[]; size?: number } = {},
  ) {
    const layer = Buffer.from(`layer of ${platformText(platform)}`);
    const config = Buffer.from(
      JSON.stringify({
        ...platform,
        rootfs: { type: "layers", diff_ids: changes.diffIds ?? [digestOf("unpacked")] },
      }),
    );
    for (const blob of [layer, config]) registry.put("a/b", blob);
    const type = changes.type ?? ociManifest;
    const manifest = {
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: mediaTypes.config, digest: digestOf(config), size: changes.size ?? config.length },
      layers: [
        { mediaType: changes.layerType ?? mediaTypes.layer, digest: digestOf(layer), size: layer.length },
      ],
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = registry.putManifest("a/b", digestOf(bytes), bytes, type) as Digest;
    return { mediaType: type, digest, size: bytes.length, platform };
  }
  const index = (manifests: readonly object[], type = ociIndex) => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
    return { mediaType: type, digest: registry.putManifest("a/b", tag, bytes, type), size: bytes.length };
  };

  it("follows an index to the image for a platform", async () => {
    const attestation = {
      ...image({ os: "linux", architecture: "s390x" }),
      platform: parsePlatform("unknown/unknown"),
    };
    const own = image(arm64);
    const root = index([attestation, image(amd64), own]);
    const found = await resolveImage(opened.repository, tag, arm64);
    expect(found.root.digest).toBe(root.digest);
    expect(found.image.manifest.descriptor.digest).toBe(own.digest);
    expect(found.image.reference).toBe(`docker://${registry.host}/a/b@${own.digest}`);
    expect(found.config.architecture).toBe("arm64");
    expect(plainData(found.layers)).toEqual([
      {
        mediaType: mediaTypes.layer,
        digest: digestOf("layer of linux/arm64"),
        size: 20,
        diffId: digestOf("unpacked"),
        createdBy: "",
        origin: `${registry.host}/a/b`,
        place: { url: `${registry.host}/a/b@${digestOf("layer of linux/arm64")}` },
      },
    ]);
  });

  it("reads Docker's lists and manifests, and images without an index", async () => {
    const layerType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    const docker = image(amd64, { type: dockerTypes.manifest, layerType });
    index([docker], dockerTypes.list);
    const found = await resolveImage(opened.repository, tag, amd64);
    expect(found.layers[0]?.mediaType).toBe(layerType);
    const direct = await resolveImage(opened.repository, docker.digest, amd64);
    expect(direct.root.digest).toBe(docker.digest);
  });

  it("follows indexes in indexes, but not for ever", async () => {
    let inner: object = image(amd64);
    for (let depth = 0; depth < 4; depth++) inner = { ...index([inner]), platform: amd64 };
    expect((await resolveImage(opened.repository, tag, amd64)).config.architecture).toBe("amd64");
    index([inner]);
    await expect(resolveImage(opened.repository, tag, amd64)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("says what is there instead", async () => {
    index([image(amd64), image({ ...arm64, variant: "v9" })]);
    await expect(resolveImage(opened.repository, tag, parsePlatform("linux/ppc64le"))).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "there is no image for linux/ppc64le",
      hint: "it is there for linux/amd64, linux/arm64/v9",
    });
    const single = image(amd64);
    await expect(resolveImage(opened.repository, single.digest, arm64)).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "it is there for linux/amd64",
    });
    await expect(resolveImage(opened.repository, parseTag("none"), amd64)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: `there is no image ${registry.host}/a/b:none`,
    });
  });

  it.each([
    ["an index that lies about the platform", () => ({ ...image(arm64), platform: amd64 }), "NOT_FOUND"],
    ["encrypted layers", () => image(amd64, { layerType: `${mediaTypes.layer}+encrypted` }), "NOT_SUPPORTED"],
    ["other numbers of layers", () => image(amd64, { diffIds: [] }), "ARCHIVE_INVALID"],
    ["a configuration without end", () => image(amd64, { size: 9_000_000 }), "ARCHIVE_INVALID"],
    ["a configuration of another size", () => image(amd64, { size: 10 }), "CHECKSUM_MISMATCH"],
    ["an index with a manifest of another size", () => ({ ...image(amd64), size: 5 }), "CHECKSUM_MISMATCH"],
    ["a manifest of another kind", () => image(amd64, { type: "application/x-other" }), "NOT_SUPPORTED"],
  ])("refuses %s", async (_, make, code) => {
    index([make()]);
    await expect(resolveImage(opened.repository, tag, amd64)).rejects.toMatchObject({ code });
  });

  it("asks for no more than the manifest before more is wanted", async () => {
    index([image(amd64)]);
    const store = openBaseStore(folder);
    const found = await openRegistryImage(opened.repository, tag, { platforms: [amd64], store });
    expect(registry.log().map((line) => line.split(" ")[1]?.split("/")[4])).toEqual([
      "manifests",
      "manifests",
    ]);
    await found.config();
    await found.config();
    await found.layers();
    expect(registry.log().filter((line) => line.includes("/blobs/"))).toHaveLength(1);
  });

  it("fetches a layer once, and keeps it; what is not what it is said to be is refused", async () => {
    const tar = await tarOf([file("a", "content")]);
    const packed = gzipSync(tar);
    const put = (diffId: Digest) => {
      const { architecture, os } = amd64;
      const config = Buffer.from(
        JSON.stringify({ architecture, os, rootfs: { type: "layers", diff_ids: [diffId] } }),
      );
      const describe = (bytes: Buffer, mediaType: string) => ({
        mediaType,
        digest: registry.put("a/b", bytes),
        size: bytes.length,
      });
      registry.putManifest("a/b", tag, {
        schemaVersion: 2,
        mediaType: ociManifest,
        config: describe(config, mediaTypes.config),
        layers: [describe(packed, mediaTypes.layer)],
      });
    };
    put(digestOf(tar));
    const downloads = () =>
      registry.log().filter((line) => line.includes(`${digestOf(packed).slice(0, 11)}`)).length;
    const [layer] = (await resolveImage(opened.repository, tag, amd64)).layers;
    if (layer === undefined) throw new Error("no layer");
    expect(downloads()).toBe(0);
    for (let round = 0; round < 2; round++) {
      const names: string[] = [];
      for await (const { path } of layerEntries(layer)) names.push(path);
      expect(names).toEqual(["a"]);
    }
    expect(readFileSync((await layer.local()).path).equals(packed)).toBe(true);
    expect(downloads()).toBe(1);
    put(digestOf("something else"));
    const [lying] = (await resolveImage(opened.repository, tag, amd64)).layers;
    if (lying === undefined) throw new Error("no layer");
    await expect(drain(lying.tar())).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });
});

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks);
}
