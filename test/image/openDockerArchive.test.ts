import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openDockerArchive } from "../../src/image/openDockerArchive.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { tarOf } from "../sif/layers.ts";
import { directory, file, symlink } from "../support/hostImage.ts";
import { archiveFolder, bytesOf, imageParts, query } from "./archives.ts";

const folder = archiveFolder();
const manifest = (...tags: string[]) => [{ Config: "c.json", RepoTags: tags, Layers: ["l/layer.tar"] }];

async function written(entries: Parameters<typeof tarOf>[0]): Promise<string> {
  return folder.write(await tarOf(entries));
}

describe("openDockerArchive", () => {
  it("finds images by tag, layers where they are, also behind links", async () => {
    const { layer, config } = await imageParts();
    const path = await written([
      file("c.json", config),
      file("real.tar", layer),
      directory("l"),
      symlink("l/layer.tar", "../real.tar"),
      file("manifest.json", JSON.stringify(manifest("a:1", "b:latest"))),
    ]);
    for (const reference of [undefined, "a:1", "b"]) {
      const image = await openDockerArchive(path, { ...query, reference });
      expect((await image.config()).value.config?.Cmd).toEqual(["x"]);
      expect(image.origin).toEqual({ bootstrap: "docker-archive", from: digestOf(config) });
      expect(await image.contentDigest()).toBe(digestOf(config));
      expect(image.manifest).toBeUndefined();
      const [only, ...others] = await image.layers();
      expect(others).toEqual([]);
      expect(only?.diffId).toBe(digestOf(layer));
      expect(await bytesOf(only?.blob() ?? [])).toEqual(layer);
      expect(await bytesOf(only?.tar() ?? [])).toEqual(layer);
    }
    await expect(openDockerArchive(path, { ...query, reference: "a:2" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "it has: a:1 b:latest",
    });
    const arm64 = { ...query, platforms: [{ os: "linux", architecture: "arm64" }] };
    await expect(openDockerArchive(path, arm64)).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "it is there for linux/amd64",
    });
  });

  it("reads compressed layers, in an archive that is compressed as a whole", async () => {
    const { layer, config, packed } = await imageParts();
    const tar = await tarOf([
      file("manifest.json", JSON.stringify(manifest())),
      file("c.json", config),
      file("l/layer.tar", packed),
    ]);
    const image = await openDockerArchive(folder.write(gzipSync(tar)), query);
    try {
      const [only] = await image.layers();
      expect(await bytesOf(only?.blob() ?? [])).toEqual(packed);
      expect(await bytesOf(only?.tar() ?? [])).toEqual(layer);
    } finally {
      await image.close();
    }
  });

  it("compares layers with what the configuration names", async () => {
    const { config, layer } = await imageParts(digestOf("something else"));
    const path = await written([
      file("manifest.json", JSON.stringify(manifest())),
      file("c.json", config),
      file("l/layer.tar", layer),
    ]);
    const [only] = await (await openDockerArchive(path, query)).layers();
    await expect(bytesOf(only?.tar() ?? [])).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("refuses what is no such archive", async () => {
    const { config } = await imageParts();
    const lacking = await written([
      file("c.json", config),
      file("manifest.json", JSON.stringify(manifest())),
    ]);
    await expect(openDockerArchive(lacking, query)).rejects.toMatchObject({
      message: expect.stringMatching(/a layer is missing/),
    });
    const several = JSON.stringify([...manifest("a:1"), ...manifest("a:2")]);
    const two = await written([file("c.json", config), file("manifest.json", several)]);
    await expect(openDockerArchive(two, query)).rejects.toMatchObject({ code: "USAGE" });
    for (const text of [
      "{",
      "{}",
      '[{"Config":3}]',
      '[{"Config":"c.json","Layers":[1]}]',
      '[{"Config":"../c","Layers":[]}]',
    ])
      await expect(
        openDockerArchive(await written([file("manifest.json", text)]), query),
      ).rejects.toBeInstanceOf(SpacktainersError);
    await expect(openDockerArchive(await written([file("x", "")]), query)).rejects.toMatchObject({
      message: expect.stringMatching(/no manifest.json/),
    });
    await expect(openDockerArchive(folder.path, query)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});
