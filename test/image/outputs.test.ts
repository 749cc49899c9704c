import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageMtime } from "../../src/archive/entry.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { fileLayer } from "../../src/image/fileLayer.ts";
import type { OciImage } from "../../src/image/image.ts";
import type { OciLayer } from "../../src/image/layer.ts";
import { layoutBlobPath } from "../../src/image/layoutFiles.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { writeOciLayout } from "../../src/image/writeOciLayout.ts";
import { writeRootfs } from "../../src/image/writeRootfs.ts";
import { digestOf, hexOfDigest } from "../../src/util/digest.ts";
import { directory, file, pieces, readAll, symlink } from "../archive/streams.ts";
import { readWholeLayout } from "../support/readWholeImage.ts";
import { image, layer } from "./fixtures.ts";

let scratch: string;
let target: string;
let base: OciLayer;
let first: OciLayer;
let second: OciLayer;
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-outputs-"));
  target = join(scratch, "dist/target");
  base = await layer(scratch, "base", [directory("bin"), file("bin/sh", "#!"), file("gone", "x")]);
  first = await layer(scratch, "first", [file("opt/a", "1"), symlink("opt/l", "a"), file(".wh.gone", "")]);
  second = await layer(scratch, "second", [file("opt/b", "2")]);
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const amd64 = { architecture: "amd64", os: "linux" };
/** All blobs of an image: manifest, configuration, layers. */
const blobsOf = async ({ manifest, ...of }: OciImage) => [
  manifest.descriptor,
  (await of.config()).descriptor,
  ...(await of.layers()),
];
const blobs = async (of: OciImage) => (await blobsOf(of)).map((item) => hexOfDigest(item.digest)).sort();
const blobNames = () => readdirSync(join(target, "blobs/sha256")).sort();
const pathOf = ({ extent }: OciLayer): string => extent?.path ?? "";
const debris = () =>
  readdirSync(scratch, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".tmp-"));

describe("writeOciLayout", () => {
  it("writes a layout that reads back, verified", async () => {
    const made = image([base, first], { annotations: { "org.opencontainers.image.title": "x" } });
    await writeOciLayout(target, [made], { reference: "hello:1" });
    const back = await readWholeLayout(target, { platform: amd64, reference: "hello:1" });
    expect(back.manifestDigest).toBe(made.manifest.descriptor.digest);
    expect(back.manifest.layers.map((item) => item.digest)).toEqual([base.digest, first.digest]);
    expect(back.layers.map((item) => item.diffId)).toEqual([base.diffId, first.diffId]);
    expect(back.configBytes.equals((await made.config()).bytes)).toBe(true);
    expect(blobNames()).toEqual(await blobs(made));
  });

  it("updates an earlier layout: keeps blobs, adds what is new, removes what is no longer named", async () => {
    await writeOciLayout(target, [image([base, first])]);
    const kept = statSync(layoutBlobPath(target, base.digest));
    let bytes = 0;
    const made = image([base, second]);
    await writeOciLayout(target, [made], { onBytes: (count) => (bytes += count) });
    expect(statSync(layoutBlobPath(target, base.digest)).ino).toBe(kept.ino);
    expect(blobNames()).toEqual(await blobs(made));
    expect(bytes).toBe(second.size + made.manifest.bytes.length + (await made.config()).bytes.length);
  });

  it("replaces a blob that is not whole", async () => {
    const made = image([base]);
    await writeOciLayout(target, [made]);
    const path = layoutBlobPath(target, base.digest);
    rmSync(path);
    writeFileSync(path, "half");
    await writeOciLayout(target, [made]);
    await readWholeLayout(target, { platform: amd64 });
  });

  it("joins platforms by an index", async () => {
    const images = [image([base]), image([second], { architecture: "arm64" })];
    await writeOciLayout(target, images, { reference: "multi" });
    const arm = await readWholeLayout(target, {
      platform: { architecture: "arm64", os: "linux", variant: "v8" },
      reference: "multi",
    });
    expect(arm.layers.map((item) => item.digest)).toEqual([second.digest]);
    expect((await readWholeLayout(target, { platform: amd64 })).layers[0]?.digest).toBe(base.digest);
    await expect(
      readWholeLayout(target, { platform: { architecture: "riscv64", os: "linux" } }),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("refuses a directory of somebody else, unless forced; takes an empty one", async () => {
    mkdirSync(target, { recursive: true });
    await writeOciLayout(target, [image([base])]);
    rmSync(target, { recursive: true });
    mkdirSync(target);
    writeFileSync(join(target, "thesis.tex"), "");
    await expect(writeOciLayout(target, [image([base])])).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(readdirSync(target)).toEqual(["thesis.tex"]);
    writeFileSync(join(target, "index.json"), '{"schemaVersion":2,"manifests":[]}');
    await expect(writeOciLayout(target, [image([base])])).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await writeOciLayout(target, [image([base])], { force: true });
    expect(existsSync(join(target, "thesis.tex"))).toBe(false);
    expect(debris()).toEqual([]);
  });

  it("leaves an earlier layout as it was when a layer cannot be read", async () => {
    const made = image([base]);
    await writeOciLayout(target, [made]);
    const missing = { path: join(scratch, "missing"), offset: 0, size: first.size };
    const broken = image([base, fileLayer(first, missing)]);
    await expect(writeOciLayout(target, [broken])).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await readWholeLayout(target, { platform: amd64 })).manifestDigest).toBe(
      made.manifest.descriptor.digest,
    );
    rmSync(target, { recursive: true });
    await expect(writeOciLayout(target, [broken])).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(existsSync(target)).toBe(false);
    expect(debris()).toEqual([]);
  });
});

describe("openLayout", () => {
  const read = (more = {}) => readWholeLayout(target, { platform: amd64, ...more });
  const change = (path: string, alter: (text: string) => string): void => {
    const whole = join(target, path);
    const text = readFileSync(whole, "latin1");
    rmSync(whole);
    writeFileSync(whole, alter(text), "latin1");
  };
  let made: OciImage;
  beforeEach(async () => {
    made = image([base, first]);
    await writeOciLayout(target, [made], { reference: "a" });
  });

  it("notices a flipped byte in any blob", async () => {
    for (const descriptor of await blobsOf(made)) {
      const path = join("blobs/sha256", hexOfDigest(descriptor.digest));
      const before = readFileSync(join(target, path), "latin1");
      change(
        path,
        (text) =>
          `${text.slice(0, -3)}${String.fromCharCode((text.charCodeAt(text.length - 3) ^ 1) & 255)}${text.slice(-2)}`,
      );
      await expect(read()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
      change(path, () => before);
    }
    await read();
  });

  it("reads no layer before it is asked to, and compares their sizes", async () => {
    change(join("blobs/sha256", hexOfDigest(first.digest)), (text) => text.slice(0, -1));
    const opened = await openLayout(target, { platforms: [amd64], reference: undefined });
    expect((await opened.config()).value.architecture).toBe("amd64");
    await expect(opened.layers()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it.each<[string, (text: string) => string, string]>([
    ["index.json", () => "{", "ARCHIVE_INVALID"],
    ["index.json", () => "[]", "ARCHIVE_INVALID"],
    ["index.json", () => '{"schemaVersion":1,"manifests":[]}', "ARCHIVE_INVALID"],
    ["index.json", () => '{"schemaVersion":2,"manifests":{}}', "ARCHIVE_INVALID"],
    ["index.json", () => '{"schemaVersion":2,"manifests":[]}', "NOT_FOUND"],
    ["index.json", (text) => text.replace("sha256:", "sha256:../../"), "ARCHIVE_INVALID"],
    ["index.json", (text) => text.replace(/"size":\d+/, '"size":-1'), "ARCHIVE_INVALID"],
    ["index.json", (text) => text.replace(/"size":\d+/, '"size":99999999999'), "ARCHIVE_INVALID"],
    ["index.json", (text) => text.replace(/"size":\d+/, '"size":5'), "CHECKSUM_MISMATCH"],
    ["oci-layout", () => '{"imageLayoutVersion":"2.0.0"}', "ARCHIVE_INVALID"],
    ["oci-layout", () => "1", "ARCHIVE_INVALID"],
  ])("refuses a bad %s (%#)", async (path, alter, code) => {
    change(path, alter);
    await expect(read()).rejects.toMatchObject({ code });
  });

  it("says what there is when the image asked for is not", async () => {
    await expect(read({ reference: "b" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "it has: a (linux/amd64)",
    });
    await expect(readWholeLayout(scratch, { platform: amd64 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("asks which one when several fit", async () => {
    const other = image([second]);
    const index = JSON.parse(readFileSync(join(target, "index.json"), "utf8"));
    writeFileSync(layoutBlobPath(target, other.manifest.descriptor.digest), other.manifest.bytes);
    index.manifests.push({ ...other.manifest.descriptor, platform: amd64 });
    change("index.json", () => JSON.stringify(index));
    await expect(read()).rejects.toMatchObject({ code: "USAGE" });
    expect((await read({ reference: "a" })).manifestDigest).toBe(made.manifest.descriptor.digest);
  });
});

describe("archives", () => {
  const contents = async () => readAll(readTar(pieces(readFileSync(target), 65_536), { where: {} }));

  it("writes an OCI layout as one file, the same bytes every time", async () => {
    const made = image([base, first, base]);
    await writeOciArchive(target, [made], { reference: "hello" });
    const bytes = readFileSync(target);
    const items = await contents();
    expect(items.map(({ entry }) => entry.path)).toEqual([
      "index.json",
      "oci-layout",
      "blobs",
      "blobs/sha256",
      ...(await blobsOf(image([base, first, base])))
        .slice(0, 4)
        .map((item) => `blobs/sha256/${hexOfDigest(item.digest)}`),
    ]);
    await writeOciArchive(target, [made], { reference: "hello" });
    expect(readFileSync(target).equals(bytes)).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(0o644 & ~process.umask());
  });

  it("writes what docker load reads", async () => {
    const made = image([base, first]);
    await writeDockerArchive(target, made, { reference: "example/hello" });
    const items = await contents();
    const [manifest] = JSON.parse(items[0]?.content?.toString() ?? "");
    expect(items[0]?.entry.path).toBe("manifest.json");
    expect(manifest.RepoTags).toEqual(["example/hello:latest"]);
    const names = items.map(({ entry }) => entry.path);
    expect([manifest.Config, ...manifest.Layers].every((name: string) => names.includes(name))).toBe(true);
    const config = items.find(({ entry }) => entry.path === manifest.Config);
    expect(config?.content?.equals((await made.config()).bytes)).toBe(true);
  });

  it("writes zstd layers for docker load without compression", async () => {
    const packed = await layer(scratch, "zstd", [file("a", "a".repeat(100_000))], "zstd");
    await writeDockerArchive(target, image([base, packed]), { reference: "example/hello" });
    const items = await contents();
    const [manifest] = JSON.parse(items[0]?.content?.toString() ?? "");
    expect(manifest.Layers[0]).toMatch(/\.tar\.gz$/);
    const item = items.find(({ entry }) => entry.path === manifest.Layers[1]);
    expect(`sha256:${manifest.Layers[1].replace(/\.tar$/, "")}`).toBe(packed.diffId);
    expect(digestOf(item?.content ?? "")).toBe(packed.diffId);
  });

  it("overwrites its own files and no others", async () => {
    const made = image([base]);
    const writers = [
      () => writeOciArchive(target, [made]),
      () => writeDockerArchive(target, made),
      () => writeOciArchive(target, [made], { force: true }),
    ];
    await writers[0]?.();
    await writers[0]?.();
    await expect(writers[1]?.()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await writers[2]?.();
    writeFileSync(target, "my notes");
    for (const write of writers.slice(0, 2))
      await expect(write()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(readFileSync(target, "utf8")).toBe("my notes");
    rmSync(target);
    mkdirSync(target);
    await expect(writers[2]?.()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  });

  it("leaves nothing when a layer changes under it", async () => {
    const made = image([base, { ...first, size: first.size + 1 }]);
    await expect(writeOciArchive(target, [made])).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    expect(existsSync(target)).toBe(false);
    expect(debris()).toEqual([]);
  });
});

describe("writeRootfs", () => {
  const options = () => ({ stateDirectory: join(scratch, "state") });

  it("applies the layers, and replaces what it made before", async () => {
    await writeRootfs(target, [base, first], options());
    expect(statSync(target).mtimeMs).toBe(imageMtime * 1000);
    expect(readdirSync(target).sort()).toEqual(["bin", "opt"]);
    expect(readFileSync(join(target, "opt/l"), "utf8")).toBe("1");
    writeFileSync(join(target, "opt/stray"), "x");
    await writeRootfs(target, [base, second], options());
    expect(readdirSync(target).sort()).toEqual(["bin", "gone", "opt"]);
    expect(readdirSync(join(target, "opt"))).toEqual(["b"]);
    expect(debris()).toEqual([]);
  });

  it("gives modes as the image has them, whatever the umask", async () => {
    const target = join(scratch, "umask");
    const dirs = [directory("d/e"), file("d/e/f", "x", { mode: 0o664 }), file("g/h", "y")];
    const unusual = await layer(scratch, "unusual", dirs);
    const before = process.umask(0o077);
    try {
      await writeRootfs(target, [unusual], options());
    } finally {
      process.umask(before);
    }
    const mode = (path: string): number => statSync(join(target, path)).mode & 0o7777;
    expect(["", "d", "d/e", "g", "d/e/f", "g/h"].map(mode)).toEqual([
      0o755, 0o755, 0o755, 0o755, 0o664, 0o644,
    ]);
  });

  it("refuses a directory of somebody else, also one put where its own was", async () => {
    await writeRootfs(target, [base], options());
    rmSync(target, { recursive: true });
    mkdirSync(join(target, "x"), { recursive: true });
    await expect(writeRootfs(target, [base], options())).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await writeRootfs(target, [base], { ...options(), force: true });
    await writeRootfs(target, [base], options());
  });

  it("refuses a file and a link to a directory of somebody else", async () => {
    mkdirSync(join(scratch, "dist"));
    writeFileSync(target, "x");
    await expect(writeRootfs(target, [base], { ...options(), force: true })).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    rmSync(target);
    mkdirSync(join(scratch, "other/thing"), { recursive: true });
    symlinkSync(join(scratch, "other"), target);
    await expect(writeRootfs(target, [base], options())).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  });

  it("leaves nothing when a layer is bad", async () => {
    const bad = join(scratch, "bad");
    writeFileSync(bad, readFileSync(pathOf(base)).subarray(0, 60));
    const cut = fileLayer(base, { path: bad, offset: 0, size: 60 });
    await expect(writeRootfs(target, [first, cut], options())).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      place: { file: bad },
    });
    expect(existsSync(target)).toBe(false);
    expect(debris()).toEqual([]);
  });

  it("shares blobs with the store by hard links that are read-only", async () => {
    await writeOciLayout(target, [image([base])]);
    const blob = statSync(layoutBlobPath(target, base.digest));
    expect([blob.ino, blob.mode & 0o777]).toEqual([statSync(pathOf(base)).ino, 0o444 & ~process.umask()]);
    chmodSync(pathOf(base), 0o644);
  });
});
