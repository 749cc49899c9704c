import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readContent } from "../../src/archive/content.ts";
import { type OpenArchiveOptions, openPackageArchive } from "../../src/install/packageArchive.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { buildPackage } from "../support/tarBuilder.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "archive-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const place = { spec: "zlib@1.3/abcdefg" };
const prefix = "/old/root/zlib-1.3-abc";
const buildinfo = { buildpath: "/old/root", hash_to_prefix: { abc: prefix } };

const made = new Map<number, Buffer>();

function packed(bytes: number): Buffer {
  const before = made.get(bytes);
  if (before !== undefined) return before;
  const members = [
    { name: "a", body: Buffer.alloc(bytes, "abcdefg") },
    { name: "b", body: "last" },
  ];
  const archive = buildPackage({ prefix, members, buildinfo });
  made.set(bytes, archive);
  return archive;
}

async function open(bytes: Uint8Array, options: OpenArchiveOptions = {}) {
  const path = join(folder, "archive.spack");
  writeFileSync(path, bytes);
  return openPackageArchive(path, { place, ...options });
}

/** Digest of every file, and bytes that were reported as read. */
async function readAll(archive: Awaited<ReturnType<typeof open>>) {
  const files: string[] = [];
  let reported = 0;
  for await (const entry of archive.entries((bytes) => {
    reported += bytes;
  }))
    if (entry.type === "file") files.push(`${entry.path} ${digestOf(await readContent(entry))}`);
  return { files, reported };
}

describe("openPackageArchive", () => {
  // Up to 32 MiB, there is one copy in memory; more is streamed.
  const sizes = { "an archive in memory": 9 * 2 ** 20 + 5, "a streamed archive": 65 * 2 ** 20 };
  for (const [what, size] of Object.entries(sizes)) {
    it(`reads ${what} twice, and says how much of it has been read`, async () => {
      const bytes = packed(size);
      const archive = await open(bytes, { digest: digestOf(bytes) });
      const first = await readAll(archive);
      expect(first).toEqual(await readAll(archive));
      expect(first.reported).toBe(bytes.length);
      expect(first.files).toContain(`${prefix.slice(1)}/a ${digestOf(Buffer.alloc(size, "abcdefg"))}`);
    });

    it(`refuses ${what} that is not the one expected`, async () => {
      const read = async () => readAll(await open(packed(size), { digest: digestOf("another") as Digest }));
      await expect(read()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH", place });
    });

    it(`refuses ${what} that is followed by something else`, async () => {
      const bytes = Buffer.concat([packed(size), Buffer.from("more"), Buffer.from([5, 0, 0, 0])]);
      await expect(open(bytes).then(readAll)).rejects.toMatchObject({ code: "ARCHIVE_INVALID", place });
    });

    it(`stops reading ${what} when asked to`, async () => {
      const stop = new AbortController();
      const archive = await open(packed(size), { signal: stop.signal });
      const read = async () => {
        for await (const _ of archive.entries()) stop.abort();
      };
      await expect(read()).rejects.toMatchObject({ code: "INTERRUPTED", place });
    });
  }

  it("keeps what a large archive unpacks to in a file that leaves nothing behind", async () => {
    const bytes = packed(65 * 2 ** 20);
    const scratchFile = join(folder, "scratch");
    const archive = await open(bytes, { digest: digestOf(bytes), scratchFile });
    const first = await readAll(archive);
    // The second time, it does not matter what has become of the archive.
    writeFileSync(join(folder, "archive.spack"), "gone");
    expect(await readAll(archive)).toEqual(first);
    expect(first.reported).toBe(bytes.length);
    await archive.close();
    expect(existsSync(scratchFile)).toBe(false);
  });

  it("unpacks a large archive twice where no file can be made, or a reading did not come to its end", async () => {
    const bytes = packed(65 * 2 ** 20);
    const nowhere = await open(bytes, { scratchFile: join(folder, "none/scratch") });
    expect(await readAll(nowhere)).toEqual(await readAll(nowhere));
    const archive = await open(bytes, { scratchFile: join(folder, "scratch") });
    for await (const _ of archive.entries()) break;
    expect(await readAll(archive)).toEqual(await readAll(nowhere));
    expect(await readAll(archive)).toEqual(await readAll(nowhere));
    await archive.close();
  });

  it("does not start when it is asked to stop before", async () => {
    const opened = open(packed(10), { signal: AbortSignal.abort() });
    await expect(opened).rejects.toMatchObject({ code: "INTERRUPTED", place });
  });

  it.each([0, 1, 512, 2 ** 26, 2 ** 32 - 1])(
    "does not rely on the length that an archive states: %d",
    async (length) => {
      const bytes = packed(100_000);
      const stated = Buffer.from(bytes);
      stated.writeUInt32LE(length, stated.length - 4);
      // zlib compares the length with that of what it unpacked.
      await expect(open(stated).then(readAll)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    },
  );

  it("reads archives of several members, of which the last one is short", async () => {
    const tar = gunzipSync(packed(3_000_000));
    const members = [tar.subarray(0, 2_000_000), tar.subarray(2_000_000, -512), tar.subarray(-512)];
    const archive = await open(Buffer.concat(members.map((member) => gzipSync(member))));
    expect((await readAll(archive)).files).toHaveLength(3);
  });

  it("streams an archive of several members that unpacks to more than fits", async () => {
    const tar = gunzipSync(packed(70 * 2 ** 20));
    const members = [tar.subarray(0, -1024), tar.subarray(-1024)];
    const archive = await open(Buffer.concat(members.map((member) => gzipSync(member))));
    expect((await readAll(archive)).files).toHaveLength(3);
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["short", gzipSync("").subarray(0, 12)],
    ["cut off", packed(100_000).subarray(0, 200)],
    ["of zeros", Buffer.alloc(100)],
  ])("refuses a file that is %s", async (_, bytes) => {
    await expect(open(bytes).then(readAll)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      place,
      hint: expect.stringContaining("push the package again"),
    });
  });
});
