import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { readTar } from "../../src/archive/readTar.ts";
import { parentsOf, writeFragment } from "../../src/archive/writeFragment.ts";
import { directory, entriesOf, file, pieces, readAll } from "./streams.ts";

const scratch = mkdtempSync(join(tmpdir(), "spacktainers-fragment-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const sha = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const entries = () =>
  entriesOf([
    directory("opt/software/zlib"),
    file("opt/software/zlib/lib/libz.so", "ELF"),
    file("etc/x", "y"),
  ]);

describe("writeFragment", () => {
  it("writes a whole layer and says where its parts are", async () => {
    const path = join(scratch, "a");
    let counted = 0;
    const facts = await writeFragment(path, entries(), { onBytes: (bytes) => (counted += bytes) });
    const bytes = readFileSync(path);
    const tar = gunzipSync(bytes);
    expect(facts).toMatchObject({
      digest: sha(bytes),
      size: bytes.length,
      diffId: sha(tar),
      tarSize: tar.length,
      parents: ["opt", "opt/software"],
    });
    const items = await readAll(readTar(pieces(tar, 999), { where: {} }));
    expect(items.map(({ entry }) => `${entry.type} ${entry.path}`)).toEqual([
      "directory opt",
      "directory opt/software",
      "directory opt/software/zlib",
      "directory opt/software/zlib/lib",
      "file opt/software/zlib/lib/libz.so",
      "directory etc",
      "file etc/x",
    ]);
    const body = gunzipSync(bytes.subarray(facts.bodyStart, facts.bodyEnd));
    expect(body.equals(tar.subarray(1024, tar.length - 1024))).toBe(true);
    expect(counted).toBe(body.length);
    expect(statSync(path).mode & 0o777).toBe(0o444 & ~process.umask());
  });

  it.each([".wh.passwd", "etc/.wh..wh..opq", "etc/.wh.d/f"])(
    "refuses %s, which would delete files",
    async (path) => {
      const refused = writeFragment(join(scratch, `w${path.length}`), entriesOf([file(path, "")]));
      await expect(refused).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE" });
    },
  );

  it("gives the same file for any concurrency", async () => {
    const digests = new Set<string>();
    for (const concurrency of [0, 1, 5]) {
      const large = Buffer.alloc(900_000, "some text that compresses ");
      const facts = await writeFragment(join(scratch, `c${concurrency}`), entriesOf([file("a/b", large)]), {
        concurrency,
      });
      digests.add(facts.digest);
    }
    expect(digests.size).toBe(1);
  });

  it("writes an empty fragment", async () => {
    const path = join(scratch, "empty");
    const facts = await writeFragment(path, entriesOf([]));
    expect(gunzipSync(readFileSync(path)).equals(Buffer.alloc(1024))).toBe(true);
    expect(facts).toMatchObject({ bodyStart: 0, bodyEnd: 0, parents: [], tarSize: 1024 });
  });

  it("closes its source and passes on its error", async () => {
    async function* broken() {
      yield directory("a");
      throw new Error("source");
    }
    await expect(writeFragment(join(scratch, "broken"), broken())).rejects.toThrow("source");
  });

  it("lists directories above a path", () => {
    expect(parentsOf("a/b/c")).toEqual(["a", "a/b"]);
    expect(parentsOf("a")).toEqual([]);
  });
});
