import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { readDockerArchive } from "../../src/archive/oci/readDockerArchive.ts";
import { readBlobFile, readOciArchive } from "../../src/archive/oci/readOciLayout.ts";
import { indexTar } from "../../src/archive/tarIndex.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { tarOf } from "../sif/layers.ts";
import { directory, file, symlink } from "../support/hostImage.ts";
import { buildTar } from "../support/tarBuilder.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-archives-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function written(bytes: Uint8Array): string {
  const path = join(folder, `${count++}.tar`);
  writeFileSync(path, bytes);
  return path;
}

async function indexOf(bytes: Uint8Array): Promise<Record<string, string>> {
  const path = written(bytes);
  const handle = await open(path, "r");
  try {
    const extents = await indexTar(handle, { file: path });
    return Object.fromEntries(
      [...extents].map(([name, { offset, size }]) => [
        name,
        Buffer.from(bytes.subarray(offset, offset + size)).toString(),
      ]),
    );
  } finally {
    await handle.close();
  }
}

const sha = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("indexTar", () => {
  it("finds files of every kind of name, and what links lead to", async () => {
    const long = `${"d/".repeat(80)}${"n".repeat(120)}`;
    const entries: Entry[] = [
      directory("a"),
      file("a/x", "1"),
      file(long, "22"),
      file("é", "333"),
      symlink("a/link", "x"),
      symlink("up", "a/link"),
      symlink("dangling", "no"),
      { type: "hardlink", path: "hard", target: "a/x", mode: 0o644, uid: 0, gid: 0, mtime: 0 },
      file("a/x", "later"),
    ];
    const { [long]: longOne, ...rest } = await indexOf(await tarOf(entries));
    expect(longOne).toBe("22");
    expect(rest).toEqual({ "a/x": "later", é: "333", "a/link": "later", up: "later", hard: "later" });
  });

  it("refuses archives that are cut off, lead out or go in circles", async () => {
    const tar = await tarOf([file("a", "x".repeat(2000))]);
    await expect(indexOf(tar.subarray(0, 1000))).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    await expect(indexOf(buildTar([{ name: "../x" }]))).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
    const circle = await tarOf([symlink("a", "b"), symlink("b", "a")]);
    await expect(indexOf(circle)).rejects.toMatchObject({ message: expect.stringMatching(/circle/) });
    await expect(indexOf(buildTar([{ name: "big", size: 2 ** 33 - 1 }]))).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
    });
  });

  it("says one clear thing of every damaged archive", async () => {
    const good = await tarOf([file("a", "1"), file("n".repeat(150), "2"), symlink("l", "a")]);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), async (at, value, cut) => {
        const bytes = Buffer.from(value % 2 === 0 ? good : good.subarray(0, cut));
        if (at < bytes.length) bytes[at] = value;
        await indexOf(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(SpacktainersError));
      }),
      { numRuns: 200 },
    );
  });
});

async function imageParts() {
  const layer = await tarOf([file("hello", "world")]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["x"] },
      rootfs: { type: "layers", diff_ids: [sha(layer)] },
    }),
  );
  return { layer, config, packed: gzipSync(layer) };
}

async function contentOf(blob: { path: string; offset?: number; size: number }): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readBlobFile(blob)) parts.push(part);
  return Buffer.concat(parts);
}

describe("readDockerArchive", () => {
  const manifest = (...tags: string[]) => [{ Config: "c.json", RepoTags: tags, Layers: ["l/layer.tar"] }];

  it("finds images by tag, layers where they are, also behind links", async () => {
    const { layer, config } = await imageParts();
    const path = written(
      await tarOf([
        file("c.json", config),
        file("real.tar", layer),
        directory("l"),
        symlink("l/layer.tar", "../real.tar"),
        file("manifest.json", JSON.stringify(manifest("a:1", "b:latest"))),
      ]),
    );
    for (const tag of [undefined, "a:1", "b"]) {
      const image = await readDockerArchive(path, tag);
      expect(image.config.config?.Cmd).toEqual(["x"]);
      expect(image.configDigest).toBe(sha(config));
      expect(await contentOf(image.layers[0] ?? { path: "", size: 0 })).toEqual(layer);
      expect(image.layers[0]?.diffId).toBe(sha(layer));
    }
    await expect(readDockerArchive(path, "a:2")).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "it has: a:1 b:latest",
    });
  });

  it("refuses what is no such archive", async () => {
    const { config } = await imageParts();
    const entries = [file("c.json", config), file("manifest.json", JSON.stringify(manifest()))];
    await expect(readDockerArchive(written(await tarOf(entries)), undefined)).rejects.toMatchObject({
      message: expect.stringMatching(/a layer is missing/),
    });
    const several = JSON.stringify([...manifest("a:1"), ...manifest("a:2")]);
    const two = await tarOf([file("c.json", config), file("manifest.json", several)]);
    await expect(readDockerArchive(written(two), undefined)).rejects.toMatchObject({ code: "USAGE" });
    for (const text of [
      "{",
      "{}",
      '[{"Config":3}]',
      '[{"Config":"c.json","Layers":[1]}]',
      '[{"Config":"../c","Layers":[]}]',
    ])
      await expect(
        readDockerArchive(written(await tarOf([file("manifest.json", text)])), undefined),
      ).rejects.toBeInstanceOf(SpacktainersError);
    await expect(readDockerArchive(written(await tarOf([file("x", "")])), undefined)).rejects.toMatchObject({
      message: expect.stringMatching(/no manifest.json/),
    });
  });
});

describe("readOciArchive", () => {
  it("reads a layout in a tar file and verifies it", async () => {
    const { config, packed } = await imageParts();
    const blob = (bytes: Buffer, mediaType: string) => ({
      mediaType,
      digest: sha(bytes),
      size: bytes.length,
    });
    const document = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: blob(config, "application/vnd.oci.image.config.v1+json"),
        layers: [blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")],
      }),
    );
    const index = {
      schemaVersion: 2,
      manifests: [blob(document, "application/vnd.oci.image.manifest.v1+json")],
    };
    const archive = (damage: Buffer = packed): Promise<Buffer> =>
      tarOf([
        file("oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
        file("index.json", JSON.stringify(index)),
        ...[document, config].map((bytes) => file(`blobs/sha256/${sha(bytes).slice(7)}`, bytes)),
        file(`blobs/sha256/${sha(packed).slice(7)}`, damage),
      ]);
    const query = { platform: { os: "linux", architecture: "amd64" } };
    const image = await readOciArchive(written(await archive()), query);
    expect(image.manifestDigest).toBe(sha(document));
    expect(image.configBytes).toEqual(config);
    expect(await contentOf(image.layers[0] ?? { path: "", size: 0 })).toEqual(packed);
    const damaged = Buffer.from(packed);
    damaged[20] = (damaged[20] ?? 0) ^ 1;
    await expect(readOciArchive(written(await archive(damaged)), query)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
    await expect(readOciArchive(written(await tarOf([file("a", "")])), query)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(readOciArchive(join(folder, "no"), query)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
