import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { buildBase } from "../../src/base/buildBase.ts";
import type { Base, BaseSpec } from "../../src/base/types.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { plainData } from "../support/plainData.ts";
import { directory, file, hardlink, sha256, symlink, tar } from "./makeDeb.ts";

let folder: string;
let count = 0;
let events: WorkEvent[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finished-"));
});
afterAll(() => rm(folder, { recursive: true }));

function build(spec: BaseSpec, architecture: "amd64" | "arm64" = "amd64"): Promise<Base> {
  events = [];
  return buildBase(spec, {
    architecture,
    cacheDir: join(folder, "cache"),
    emit: (event) => events.push(event),
  });
}

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `file-${count++}`);
  await writeFile(path, bytes);
  return path;
}

const status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n";
const paths = (base: Base): string[] => base.inventory.entries.map(({ path }) => path);

test("scratch is nothing, always the same", async () => {
  const base = await build({ kind: "scratch" });
  expect(base).toMatchObject({ layers: [], packages: [], inventory: { entries: [] } });
  expect((await build({ kind: "scratch" })).key).toBe(base.key);
});

describe("a root file system", () => {
  const entries = () => [
    directory("usr"),
    symlink("lib", "usr/lib"),
    file("lib/a", "a", 0o644),
    hardlink("usr/b", "lib/a"),
    file("usr/bin/tool", "#!/bin/sh -e\necho", 0o755),
    file("var/lib/dpkg/status", status),
  ];

  test("becomes one layer, the same however it is compressed", async () => {
    const plain = await tar(entries());
    const base = await build({ kind: "rootfs", path: await write(plain) });
    expect(base.packages).toEqual([{ name: "libc6", version: "2.36-9", architecture: "amd64" }]);
    expect(base.libcVersion).toBe("2.36");
    expect(paths(base)).toEqual([
      "lib",
      "usr",
      "usr/b",
      "usr/bin",
      "usr/bin/tool",
      "usr/lib",
      "usr/lib/a",
      "var",
      "var/lib",
      "var/lib/dpkg",
      "var/lib/dpkg/status",
    ]);
    const found = (path: string) => base.inventory.entries.find((entry) => entry.path === path);
    expect(found("usr/b")).toMatchObject({ type: "hardlink", target: "usr/lib/a" });
    expect(found("usr/bin/tool")).toMatchObject({ shebang: "/bin/sh -e" });
    const again = await build({ kind: "rootfs", path: await write(gzipSync(plain)) });
    expect(again.layers[0]?.digest).toBe(base.layers[0]?.digest);
  });

  test("is not read again while it stays the same", async () => {
    const path = await write(await tar(entries()));
    const first = await build({ kind: "rootfs", path });
    const second = await build({ kind: "rootfs", path });
    expect(plainData(second)).toEqual(plainData(first));
    expect(events).toEqual([]);
    await writeFile(path, await tar([file("x", "y")]));
    await utimes(path, 1, 1);
    expect(paths(await build({ kind: "rootfs", path }))).toEqual(["x"]);
  });

  test("leaves out devices, and links to them with a warning", async () => {
    const bytes = await tar([file("dev/null", ""), hardlink("dev/zero", "dev/null"), file("x", "x")]);
    bytes.write("3", 156, "latin1");
    // The checksum of the header: as if its bytes were blanks.
    bytes.write("        ", 148, "latin1");
    const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    const base = await build({ kind: "rootfs", path: await write(bytes) });
    expect(paths(base)).toEqual(["x"]);
    expect(events.some((event) => event.type === "warning")).toBe(true);
  });

  test.each([
    ["leads out", [file("../x", "x")], "ARCHIVE_UNSAFE"],
    ["has a file twice", [file("x", "1"), file("x", "2")], "ARCHIVE_INVALID"],
    [
      "has a file twice through a link",
      [symlink("l", "d"), file("d/x", "1"), file("l/x", "2")],
      "ARCHIVE_INVALID",
    ],
    ["would delete files in an image", [file("etc/.wh.passwd", "")], "ARCHIVE_UNSAFE"],
  ])("that %s is refused", async (_, bad, code) => {
    await expect(build({ kind: "rootfs", path: await write(await tar(bad)) })).rejects.toMatchObject({
      code,
    });
  });

  test("that is cut off, not there, or no file is refused", async () => {
    const bytes = await tar(entries());
    await expect(build({ kind: "rootfs", path: await write(bytes.subarray(0, 2000)) })).rejects.toMatchObject(
      {
        code: "ARCHIVE_INVALID",
      },
    );
    await expect(build({ kind: "rootfs", path: join(folder, "none") })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(build({ kind: "rootfs", path: folder })).rejects.toMatchObject({ code: "BASE_INVALID" });
  });
});

describe("an image in an OCI layout", () => {
  interface Layer {
    readonly blob: Buffer;
    readonly diffId: string;
  }

  async function layer(entries: Parameters<typeof tar>[0]): Promise<Layer> {
    const bytes = await tar(entries);
    return { blob: gzipSync(bytes), diffId: `sha256:${sha256(bytes)}` };
  }

  async function layout(layers: readonly Layer[]): Promise<string> {
    const path = join(folder, `layout-${count++}`);
    await mkdir(join(path, "blobs/sha256"), { recursive: true });
    const put = async (bytes: Buffer, mediaType: string) => {
      await writeFile(join(path, "blobs/sha256", sha256(bytes)), bytes);
      return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
    };
    const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
    const config = await put(
      json({
        architecture: "amd64",
        os: "linux",
        config: { Env: ["A=b"], Cmd: ["/bin/sh"], WorkingDir: "/w", Labels: { x: "y" } },
        rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      }),
      mediaTypes.config,
    );
    const manifest = await put(
      json({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config,
        layers: await Promise.all(layers.map(({ blob }) => put(blob, mediaTypes.layer))),
      }),
      mediaTypes.manifest,
    );
    await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(path, "index.json"), json({ schemaVersion: 2, manifests: [manifest] }));
    return path;
  }

  const lower = () =>
    layer([
      directory("etc", 0o700),
      file("etc/a", "a"),
      file("etc/b", "b"),
      file("var/lib/dpkg/status", status),
    ]);
  const upper = () => layer([file("etc/.wh.a", ""), file("etc/c", "c")]);

  test("keeps its layers as they are and shows what they show together", async () => {
    const layers = [await lower(), await upper()];
    const path = await layout(layers);
    const base = await build({ kind: "oci", path });
    expect(base.layers.map(({ digest }) => digest)).toEqual(
      layers.map(({ blob }) => `sha256:${sha256(blob)}`),
    );
    for (const [at, { extent }] of base.layers.entries())
      expect(await readFile(extent?.path ?? "")).toEqual(layers[at]?.blob);
    expect(paths(base)).toEqual(["etc", "etc/b", "etc/c", "var/lib/dpkg/status"]);
    expect(base.inventory.entries[0]?.mode).toBe(0o700);
    expect(base.packages.map(({ name }) => name)).toEqual(["libc6"]);
    expect(base.config).toEqual({ env: ["A=b"], cmd: ["/bin/sh"], workingDir: "/w", labels: { x: "y" } });
    expect(plainData(await build({ kind: "oci", path }))).toEqual(plainData(base));
    expect(events).toEqual([]);
  });

  test("whose layer was changed, or is not what the configuration says, is refused", async () => {
    const one = await layer([file("x", "1")]);
    const other = await layer([file("x", "2")]);
    await expect(
      build({ kind: "oci", path: await layout([{ ...one, diffId: other.diffId }]) }),
    ).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
    });
    const path = await layout([one]);
    const changed = Buffer.from(one.blob);
    changed[12] = (changed[12] ?? 0) ^ 1;
    await writeFile(join(path, "blobs/sha256", sha256(one.blob)), changed);
    await expect(build({ kind: "oci", path })).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  test("for another architecture, or no layout at all", async () => {
    const path = await layout([await lower()]);
    await expect(build({ kind: "oci", path }, "arm64")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(build({ kind: "oci", path: folder })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
