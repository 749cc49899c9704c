import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mediaTypes, type Platform } from "../../src/archive/oci/types.ts";
import { dockerTypes } from "../../src/registry/manifests.ts";
import { choosePlatform, normalizePlatform, platformText } from "../../src/registry/platform.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { resolveImage } from "../../src/registry/resolveImage.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { type FakeRegistry, ociIndex, ociManifest, startFakeRegistry } from "../support/fakeRegistry.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };
const tag = parseTag("1");

function parsePlatform(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

describe("choosePlatform", () => {
  it.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64/v1"], "linux/amd64/v1"],
    ["linux/amd64", ["linux/amd64/v3"], undefined],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"],
    ["linux/amd64/v3", ["linux/amd64"], "linux/amd64"],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"],
    ["linux/arm64/v8", ["linux/arm64"], "linux/arm64"],
    ["linux/arm64/v9", ["linux/arm64/v8", "linux/arm64"], "linux/arm64/v8"],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"],
    ["linux/arm", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
    ["linux/x86_64", ["linux/amd64"], "linux/amd64"],
    ["linux/aarch64", ["linux/arm64/8"], "linux/arm64/8"],
    ["linux/ppc64le", ["linux/ppc64le"], "linux/ppc64le"],
    ["linux/riscv64/x", ["linux/riscv64"], undefined],
    ["linux/amd64", ["windows/amd64", "unknown/unknown"], undefined],
    ["linux/amd64", [], undefined],
  ])("for %s of %j: %s", (wanted, offered, chosen) => {
    const candidates = offered.map((text) => ({ text, platform: parsePlatform(text) }));
    expect(choosePlatform(candidates, parsePlatform(wanted))?.text).toBe(chosen);
  });

  it("takes the first of equals, and what is wanted exactly where it is there", () => {
    expect(
      choosePlatform(
        [
          { n: 1, platform: amd64 },
          { n: 2, platform: amd64 },
        ],
        amd64,
      ),
    ).toMatchObject({ n: 1 });
    const platforms = fc.constantFrom(
      ...["amd64", "amd64/v2", "amd64/v3", "arm64", "arm64/v9", "arm/v6", "arm/v7", "s390x"].map((text) =>
        parsePlatform(`linux/${text}`),
      ),
    );
    fc.assert(
      fc.property(fc.array(platforms), platforms, (offered, wanted) => {
        const candidates = offered.map((platform) => ({ platform }));
        const chosen = choosePlatform(candidates, wanted);
        if (offered.some((one) => platformText(one) === platformText(wanted)))
          expect(chosen?.platform).toEqual(wanted);
        if (chosen !== undefined) expect(chosen.platform.architecture).toBe(wanted.architecture);
        expect(normalizePlatform(normalizePlatform(wanted))).toEqual(normalizePlatform(wanted));
      }),
    );
  });
});

describe("resolveImage", () => {
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
    expect(found.manifestDigest).toBe(own.digest);
    expect(found.config.architecture).toBe("arm64");
    expect(found.layers).toEqual([
      {
        mediaType: mediaTypes.layer,
        digest: digestOf("layer of linux/arm64"),
        size: 20,
        diffId: digestOf("unpacked"),
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
      message: "the image is not there for linux/ppc64le",
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
    ["a manifest of another kind", () => image(amd64, { type: "application/x-other" }), "NOT_SUPPORTED"],
  ])("refuses %s", async (_, make, code) => {
    index([make()]);
    await expect(resolveImage(opened.repository, tag, amd64)).rejects.toMatchObject({ code });
  });
});
