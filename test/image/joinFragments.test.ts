import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { decompressStream } from "../../src/archive/decompress.ts";
import type { Entry } from "../../src/archive/entry.ts";
import { type CompressionFormat, compressionSettings } from "../../src/archive/layerCompression.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { writeFragment } from "../../src/archive/writeFragment.ts";
import { joinFragments } from "../../src/image/joinFragments.ts";
import { collect, entriesOf, file, pieces, readAll } from "../archive/streams.ts";

const scratch = mkdtempSync(join(tmpdir(), "spacktainers-join-"));
afterAll(() => rmSync(scratch, { recursive: true }));

it.each<CompressionFormat>(["gzip", "zstd"])(
  "joins %s fragments into one layer: directories above them once, bodies as they are, one end",
  async (format) => {
    const fragment = async (name: string, entries: Entry[]) => {
      const path = join(scratch, `${name}-${format}`);
      const compression = compressionSettings(format);
      return { path, ...(await writeFragment(path, entriesOf(entries), { compression })) };
    };
    const parts = [
      await fragment("a", [file("opt/b/a/file", "1".repeat(300_000))]),
      await fragment("b", [file("opt/a/b/file", "2")]),
      await fragment("none", []),
      await fragment("c", [file("opt/b/c", "3")]),
    ];
    const path = join(scratch, `joined-${format}`);
    const facts = await joinFragments(path, parts);
    const bytes = readFileSync(path);
    const tar = await collect(decompressStream(pieces(bytes, 10_000)));
    const items = await readAll(readTar(pieces(tar, 4096), { where: {} }));
    expect(items.map(({ entry }) => entry.path)).toEqual([
      "opt",
      "opt/a",
      "opt/a/b",
      "opt/b",
      "opt/b/a",
      "opt/b/a/file",
      "opt/a/b/file",
      "opt/b/c",
    ]);
    expect(items.at(5)?.content?.length).toBe(300_000);
    const sha = (data: Buffer) => `sha256:${createHash("sha256").update(data).digest("hex")}`;
    expect(facts).toMatchObject({
      compression: format,
      digest: sha(bytes),
      size: bytes.length,
      diffId: sha(tar),
      tarSize: tar.length,
      parents: ["opt", "opt/a", "opt/a/b", "opt/b", "opt/b/a"],
    });
    // A joined layer can be joined again.
    const again = await joinFragments(join(scratch, `again-${format}`), [{ path, ...facts }]);
    expect(again.digest).toBe(facts.digest);
  },
);

it("does not join what is compressed in different formats", async () => {
  const parts = [];
  for (const format of ["gzip", "zstd"] as const) {
    const path = join(scratch, `mixed-${format}`);
    const compression = compressionSettings(format);
    parts.push({ path, ...(await writeFragment(path, entriesOf([file("a", format)]), { compression })) });
  }
  await expect(joinFragments(join(scratch, "mixed"), parts)).rejects.toMatchObject({ code: "INTERNAL" });
});
