import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fileState } from "../../src/util/fileState.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-state-"));
  path = join(folder, "file");
  writeFileSync(path, "one");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

it("stays as long as the file does", async () => {
  const first = await fileState(path);
  expect(first.size).toBe(3);
  expect(await fileState(path)).toEqual(first);
});

it("differs when the content does, even with the size and time as before", async () => {
  const time = new Date(1_600_000_000_000);
  utimesSync(path, time, time);
  const { key } = await fileState(path);
  await new Promise((done) => setTimeout(done, 20));
  writeFileSync(path, "two");
  utimesSync(path, time, time);
  expect((await fileState(path)).key).not.toBe(key);
});

it("differs when another file takes the place", async () => {
  const { key } = await fileState(path);
  writeFileSync(join(folder, "other"), "one");
  renameSync(join(folder, "other"), path);
  expect((await fileState(path)).key).not.toBe(key);
});

it("is settled only some seconds after the last change", async () => {
  expect((await fileState(path)).isSettled).toBe(false);
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 5000);
  expect((await fileState(path)).isSettled).toBe(true);
});
