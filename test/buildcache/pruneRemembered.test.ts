import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pruneRemembered } from "../../src/buildcache/pruneRemembered.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spacktainers-prune-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function put(path: string, ageDays: number): Promise<void> {
  const file = join(home, "index", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "x");
  const then = new Date(Date.now() - ageDays * 24 * 3600 * 1000);
  await utimes(file, then, then);
}

it("removes what was not used for long, once a day, and nothing else", async () => {
  await put("cacheA/v2.json", 40);
  await put("cacheA/v2-abc-def/index.json", 40);
  await put("cacheA/v3.json", 2);
  await put("cacheA/v3-abc-def/index.json", 400);
  await put("cacheA/packages/aa/aaa.json", 200);
  await put("cacheA/packages/bb/bbb.json", 100);
  await put("verified/aa/aa", 200);
  await put("verified/bb/bb", 1);
  await pruneRemembered(home);
  const left = await readdir(join(home, "index"), { recursive: true, withFileTypes: true });
  const files = left.filter((entry) => entry.isFile()).map((entry) => entry.name);
  expect(files.sort()).toEqual([".pruned", "bb", "bbb.json", "index.json", "v3.json"]);
  await put("verified/cc/cc", 200);
  await pruneRemembered(home);
  expect(await readdir(join(home, "index", "verified", "cc"))).toEqual(["cc"]);
});
