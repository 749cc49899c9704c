import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { buildBase, planBase } from "../../src/base/buildBase.ts";
import type { BuildBaseOptions } from "../../src/base/types.ts";
import type { Image } from "../../src/image/image.ts";
import { layerEntries } from "../../src/image/layerEntries.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { platformOf } from "../../src/image/platform.ts";
import { unpackLayers } from "../../src/image/writeRootfs.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { putLayout } from "../support/layoutImage.ts";
import { smallBase } from "../support/smallBase.ts";
import { buildTar } from "../support/tarBuilder.ts";

const root = smallBase({ packages: { libc6: "2.36-9" } });
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rootfs-base-"));
  writeFileSync(join(folder, "root.tar.gz"), gzipSync(root));
  putLayout(join(folder, "layout"), { layers: [root], config: { Env: ["A=b"] } });
});
afterAll(() => rmSync(folder, { recursive: true }));

let caches = 0;
const options = (more: Partial<BuildBaseOptions> = {}): BuildBaseOptions => ({
  architecture: "amd64",
  cacheDir: join(folder, `cache-${caches++}`),
  emit: () => {},
  ...more,
});
const spec = (name: string) => ({ kind: "rootfs", path: join(folder, name) }) as const;
const write = (name: string, members: Parameters<typeof buildTar>[0]) =>
  writeFileSync(join(folder, name), buildTar(members));

describe("a root file system as a base", () => {
  it("is what a tar file has in it", async () => {
    const base = await buildBase(spec("root.tar.gz"), options());
    expect(base.packages).toMatchObject([{ name: "libc6", version: "2.36-9" }]);
    expect(base.config).toBeUndefined();
    expect(base.layers).toHaveLength(1);
  });

  it("keeps extended attributes and odd times, and names devices and FIFOs, which it leaves out", async () => {
    write("odd.tar", [
      { name: "bin", type: "5", mode: 0o755 },
      { name: "bin/ping", pax: { "SCHILY.xattr.user.a": "b", "LIBARCHIVE.xattr.user.c%20d": "aGk=" } },
      { name: "old", pax: { mtime: "-100.5" } },
      { name: "null", type: "3" },
      { name: "pipe", type: "6" },
    ]);
    const said: string[] = [];
    const emit: BuildBaseOptions["emit"] = (event) => {
      if (event.type === "warning") said.push(event.message);
    };
    const { layers } = await buildBase(spec("odd.tar"), options({ emit }));
    expect(said).toEqual([expect.stringMatching(/2 devices and FIFOs, such as "null"/)]);
    const [layer] = layers;
    const entries = new Map<string, Entry>();
    if (layer !== undefined)
      for await (const entry of layerEntries(layer, { xattrs: true })) entries.set(entry.path, entry);
    expect([...entries.keys()].sort()).toEqual(["bin", "bin/ping", "old"]);
    expect(
      [...(entries.get("bin/ping")?.xattrs ?? [])].map(([name, value]) => [name, String(value)]),
    ).toEqual([
      ["user.a", "b"],
      ["user.c d", "hi"],
    ]);
    expect(entries.get("old")?.mtime).toBe(-101);
    const missing: string[] = [];
    const place = join(folder, "unpacked");
    mkdirSync(place);
    await unpackLayers(place, layers, { onLeftOut: (message) => missing.push(message) });
    expect(lstatSync(join(place, "old")).mtimeMs).toBe(-101_000);
    expect(missing).toEqual([
      'the directory does not have the image\'s extended attributes ("user.a, user.c d of bin/ping")',
    ]);
  });

  it("is what an Apptainer image has in it, run as that says, and opened images are closed", async () => {
    writeFileSync(join(folder, "image.sif"), "not read here");
    let open = 0;
    const apptainerImage = async (path: string): Promise<Image | undefined> => {
      if (!path.endsWith(".sif")) return undefined;
      open++;
      const query = { platforms: [platformOf("amd64")], reference: undefined };
      const image = await openLayout(join(folder, "layout"), query);
      return {
        ...image,
        async close() {
          open--;
        },
      };
    };
    const used = options({ apptainerImage });
    const base = await buildBase(spec("image.sif"), used);
    const tar = await buildBase(spec("root.tar.gz"), used);
    expect(base.layers.map(({ digest }) => digest)).toEqual(tar.layers.map(({ digest }) => digest));
    expect(base.config).toMatchObject({ env: ["A=b"] });
    expect((await (await planBase(spec("image.sif"), used)).find())?.config).toMatchObject({ env: ["A=b"] });
    expect(open).toBe(0);
  });

  it("is refused before anything is made where the Apptainer image cannot be opened", async () => {
    writeFileSync(join(folder, "arm64.sif"), "not read here");
    const apptainerImage = async (): Promise<never> => {
      throw new SpacktainersError("NOT_SUPPORTED", "the image is for arm64, not for amd64");
    };
    await expect(planBase(spec("arm64.sif"), options({ apptainerImage }))).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });

  const hex = "ab".repeat(32);
  it.each([
    [
      "an OCI archive",
      [
        { name: "oci-layout", body: "{}" },
        { name: "index.json", body: "{}" },
      ],
      /base: oci:/,
    ],
    [
      "what podman saves",
      [
        { name: `${hex}.tar`, body: "" },
        { name: "manifest.json", body: "[]" },
      ],
      /skopeo copy/,
    ],
    [
      "what docker saved",
      [
        { name: `./${hex}/layer.tar`, body: "" },
        { name: "./manifest.json", body: "[]" },
      ],
      /skopeo copy/,
    ],
  ])("is not %s", async (_, members, hint) => {
    write("archive.tar", members);
    await expect(buildBase(spec("archive.tar"), options())).rejects.toMatchObject({
      code: "BASE_INVALID",
      hint: expect.stringMatching(hint),
    });
  });

  it("may have files of such names", async () => {
    write("odd.tar", [
      { name: "manifest.json", body: "[]" },
      { name: "srv/oci-layout", body: "" },
      { name: "index.json", body: "" },
    ]);
    expect((await buildBase(spec("odd.tar"), options())).inventory.entries).not.toHaveLength(0);
  });

  it("is no directory", async () => {
    mkdirSync(join(folder, "directory"), { recursive: true });
    await expect(buildBase(spec("directory"), options())).rejects.toMatchObject({
      code: "BASE_INVALID",
      hint: expect.stringContaining("tar --numeric-owner"),
    });
  });
});
