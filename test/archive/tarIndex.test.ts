import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
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
