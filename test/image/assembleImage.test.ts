import { describe, expect, it } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { assembleImage, type ImageRequest } from "../../src/image/assembleImage.ts";
import { createdTime, formatTime } from "../../src/image/created.ts";
import { fileLayer } from "../../src/image/fileLayer.ts";
import type { LayerDescriptor, OciLayer } from "../../src/image/layer.ts";
import { digestOf } from "../../src/util/digest.ts";

function layer(name: string, annotations?: LayerDescriptor["annotations"]): OciLayer {
  const facts = {
    digest: digestOf(name),
    size: name.length,
    diffId: digestOf(`tar of ${name}`),
    mediaType: mediaTypes.layer,
    createdBy: `spacktainers: ${name}`,
    annotations,
  };
  return fileLayer(facts, { path: `/nowhere/${name}`, offset: 0, size: name.length });
}

const request: ImageRequest = {
  architecture: "arm64",
  layers: [layer("base"), layer("zlib", { z: "2", a: "1" })],
  created: 1_700_000_000,
  env: new Map([
    ["ZED", "1"],
    ["PATH", "/bin"],
    ["ALPHA", "2"],
  ]),
  labels: { "org.b": "x", "org.a": "y" },
};

describe("assembleImage", () => {
  it("writes the contract into the configuration", async () => {
    const config = await assembleImage(request).config();
    expect(JSON.parse(config.bytes.toString())).toEqual({
      created: "2023-11-14T22:13:20Z",
      architecture: "arm64",
      variant: "v8",
      os: "linux",
      config: {
        Env: ["PATH=/bin", "ALPHA=2", "ZED=1"],
        Entrypoint: ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", "$*", "--"],
        Cmd: ["/bin/bash"],
        Labels: { "org.a": "y", "org.b": "x" },
      },
      rootfs: { type: "layers", diff_ids: [digestOf("tar of base"), digestOf("tar of zlib")] },
      history: [
        { created: "2023-11-14T22:13:20Z", created_by: "spacktainers: base" },
        { created: "2023-11-14T22:13:20Z", created_by: "spacktainers: zlib" },
      ],
    });
  });

  it("gives the same bytes whatever the order of keys in the request", () => {
    const turned: ImageRequest = {
      ...request,
      env: new Map([...request.env].reverse()),
      labels: { "org.a": "y", "org.b": "x" },
      layers: [layer("base"), layer("zlib", { a: "1", z: "2" })],
    };
    expect(assembleImage(turned).manifest.descriptor).toEqual(assembleImage(request).manifest.descriptor);
  });

  it("names configuration and layers in the manifest", async () => {
    const { manifest, ...image } = assembleImage(request);
    const config = await image.config();
    expect(manifest.value.config).toEqual(config.descriptor);
    expect(config.descriptor.digest).toBe(digestOf(config.bytes));
    expect(manifest.bytes.toString()).toContain('"annotations":{"a":"1","z":"2"}');
  });

  it("refuses more layers than runtimes mount", async () => {
    const layers = Array.from({ length: 128 }, (_, index) => layer(String(index)));
    expect(() => assembleImage({ ...request, layers })).toThrow(/128 layers/);
    expect((await assembleImage({ ...request, layers: layers.slice(1) }).layers()).length).toBe(127);
  });

  it("keeps a label named __proto__ a label", async () => {
    const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const { bytes } = await assembleImage({ ...request, labels }).config();
    expect(bytes.toString()).toContain('"Labels":{"__proto__":"x"}');
  });
});

describe("createdTime", () => {
  it("is the newest input, or what SOURCE_DATE_EPOCH says", () => {
    expect(createdTime([5, 9, 2], {})).toBe(9);
    expect(createdTime([], {})).toBe(0);
    expect(createdTime([5], { SOURCE_DATE_EPOCH: "1700000000" })).toBe(1_700_000_000);
    expect(() => createdTime([], { SOURCE_DATE_EPOCH: "today" })).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
    expect(formatTime(0)).toBe("1970-01-01T00:00:00Z");
  });
});
