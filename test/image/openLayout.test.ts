import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OciImage } from "../../src/image/image.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { openOciArchive } from "../../src/image/openOciArchive.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { tarOf } from "../sif/layers.ts";
import { file } from "../support/hostImage.ts";
import { readWholeImage } from "../support/readWholeImage.ts";
import { archiveFolder, bytesOf, imageParts, layoutFiles, query } from "./archives.ts";

const folder = archiveFolder();
let count = 0;

type Files = ReadonlyMap<string, Buffer>;

/** Writes files as a directory or as an archive; opens the image in it. */
const forms: readonly (readonly [string, (files: Files) => Promise<OciImage>])[] = [
  [
    "directory",
    async (files) => {
      const path = join(folder.path, `layout${count++}`);
      for (const [name, bytes] of files) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), bytes);
      }
      return openLayout(path, query);
    },
  ],
  ["archive", async (files) => openOciArchive(folder.write(await archiveOf(files)), query)],
  [
    "compressed archive",
    async (files) => openOciArchive(folder.write(gzipSync(await archiveOf(files))), query),
  ],
];

function archiveOf(files: Files): Promise<Buffer> {
  return tarOf([...files].map(([name, bytes]) => file(name, bytes)));
}

describe.each(forms)("a layout as %s", (_, open) => {
  it("is read, its layers where they are", async () => {
    const { config, layer, packed } = await imageParts();
    const image = await open(await layoutFiles());
    try {
      const whole = await readWholeImage(image);
      expect(whole.configBytes).toEqual(config);
      expect(image.origin).toEqual({ bootstrap: "oci", from: whole.manifestDigest });
      expect(await image.contentDigest()).toBe(digestOf(config));
      const [only] = whole.layers;
      expect(await bytesOf(only?.blob() ?? [])).toEqual(packed);
      expect(await bytesOf(only?.tar() ?? [])).toEqual(layer);
      expect(await only?.local()).toMatchObject({ size: packed.length });
    } finally {
      await image.close();
    }
  });

  it("whose layers are damaged, or not what the configuration says, is refused when they are read", async () => {
    const flip = (packed: Buffer): Buffer => {
      packed[20] = (packed[20] ?? 0) ^ 1;
      return packed;
    };
    const damaged = await open(await layoutFiles({ damage: flip }));
    await expect(readWholeImage(damaged)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await damaged.close();
    const lying = await open(await layoutFiles({ diffId: digestOf("something else") }));
    await expect(readWholeImage(lying)).rejects.toMatchObject({
      code: "CHECKSUM_MISMATCH",
      message: "a layer is not what the image's configuration says",
    });
    await lying.close();
    const cut = await open(await layoutFiles({ damage: (packed) => packed.subarray(1) }));
    await expect(cut.layers()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await cut.close();
  });

  it("that lacks a blob says which", async () => {
    const whole = await layoutFiles();
    for (const missing of [...whole.keys()].filter((name) => name.startsWith("blobs/"))) {
      const files = new Map([...whole].filter(([name]) => name !== missing));
      const read = async () => readWholeImage(await open(files));
      await expect(read()).rejects.toMatchObject({
        code: "NOT_FOUND",
        place: { file: expect.stringContaining(missing) },
      });
    }
  });

  it("says one clear thing of whatever else is in its documents", async () => {
    const whole = await layoutFiles();
    const names = [...whole.keys()];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(10_000),
        fc.nat(255),
        fc.boolean(),
        async (name, at, value, cut) => {
          const bytes = Buffer.from(whole.get(name) ?? []);
          const position = at % bytes.length;
          if (bytes[position] === value) return;
          bytes[position] = value;
          const files = new Map([...whole, [name, cut ? bytes.subarray(0, position) : bytes]]);
          const error = await open(files)
            .then(readWholeImage)
            .then(
              () => undefined,
              (thrown: unknown) => thrown,
            );
          // Blanks and names that nobody reads may change in the two files that no digest names.
          if (error === undefined) expect(name).not.toMatch(/^blobs/);
          else expect(error).toBeInstanceOf(SpacktainersError);
          if (name.startsWith("blobs/")) expect(error).toMatchObject({ code: "CHECKSUM_MISMATCH" });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("openLayout", () => {
  it("waits for no pipe in the place of a file", async () => {
    const path = join(folder.path, `pipes${count++}`);
    for (const [name, bytes] of await layoutFiles()) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), bytes);
    }
    rmSync(join(path, "index.json"));
    execFileSync("mkfifo", [join(path, "index.json")]);
    await expect(openLayout(path, query)).rejects.toMatchObject({ code: "IO" });
  });

  it("says that there is no layout", async () => {
    await expect(openLayout(join(folder.path, "nothing"), query)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(openOciArchive(join(folder.path, "nothing"), query)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const other = folder.write(await tarOf([file("a", "")]));
    await expect(openOciArchive(other, query)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
