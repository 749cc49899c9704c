import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type BlobStore, openBlobStore } from "../../src/util/blobStore.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";

const hour = 3_600_000;
let folder: string;
let now: number;
let store: BlobStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-blobs-"));
  now = Date.now();
  store = openBlobStore(folder, () => now);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function put(content: string): Promise<Digest> {
  const temporary = await store.temporary();
  writeFileSync(temporary, content);
  await store.adopt(temporary, digestOf(content));
  await store.find(digestOf(content));
  return digestOf(content);
}

it("removes what was used longest ago, and nothing that was used within the last hour", async () => {
  const first = await put("1");
  now += hour / 2;
  const second = await put("2");
  now += hour / 2;
  expect(await store.prune(0)).toEqual({ removed: 1, bytes: 1 });
  expect([first, second].map((digest) => existsSync(store.path(digest)))).toEqual([false, true]);
  now += 24 * hour;
  const third = await put("3");
  now += 366 * 24 * hour;
  expect(await store.prune(1)).toEqual({ removed: 1, bytes: 1 });
  expect(await store.find(second)).toBeUndefined();
  expect(await store.find(third)).toBe(store.path(third));
});

it("records when a blob was used", async () => {
  const digest = await put("1");
  now += 100 * 24 * hour;
  await store.find(digest);
  expect(Math.abs(statSync(store.path(digest)).mtimeMs - now)).toBeLessThan(2000);
});

it("stays bounded after the clock was set back", async () => {
  now += 366 * 24 * hour;
  const late = await put("late");
  now -= 366 * 24 * hour;
  const early = await put("early");
  now += 2 * hour;
  expect((await store.prune(0)).removed).toBe(2);
  expect([early, late].map((digest) => existsSync(store.path(digest)))).toEqual([false, false]);
});
