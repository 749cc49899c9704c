import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readBounded } from "../../src/util/readBounded.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-bounded-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("reads files up to the limit", async () => {
  const path = join(folder, "a");
  for (const length of [0, 1, 99, 100]) {
    writeFileSync(path, "x".repeat(length));
    expect((await readBounded(path, 100))?.toString()).toBe("x".repeat(length));
  }
  writeFileSync(path, "x".repeat(101));
  expect(await readBounded(path, 100)).toBeUndefined();
  await expect(readBounded(join(folder, "none"), 100)).rejects.toMatchObject({ code: "ENOENT" });
});

it("refuses what never ends, and what nobody writes to", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const path of ["/dev/zero", pipe, folder])
    await expect(readBounded(path, 100)).rejects.toMatchObject({ code: "IO" });
});
