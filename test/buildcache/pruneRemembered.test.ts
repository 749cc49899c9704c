import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pruneRemembered } from "../../src/buildcache/pruneRemembered.ts";

const day = 24 * 3600 * 1000;
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spacktainers-prune-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function put(path: string, ageDays = 0): Promise<void> {
  const file = join(home, "index", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "x");
  const then = new Date(Date.now() - ageDays * day);
  await utimes(file, then, then);
}

async function files(): Promise<readonly string[]> {
  const left = await readdir(join(home, "index"), { recursive: true, withFileTypes: true });
  return left
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(home, "index/").length))
    .sort();
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
  const left = [
    ".pruned",
    "cacheA/packages/bb/bbb.json",
    "cacheA/v3-abc-def/index.json",
    "cacheA/v3.json",
    "verified/bb/bb",
  ];
  expect(await files()).toEqual(left);
  await put("verified/cc/cc", 200);
  await pruneRemembered(home);
  expect(await files()).toEqual([...left, "verified/cc/cc"]);
});

it("works again on every later day, whatever lies there", async () => {
  // Time goes on; what is used keeps its age.
  const everything = async (): Promise<void> => {
    await put("cacheA/v3.json");
    await put("cacheA/v3-abc-def/index.json");
    await put("cacheA/packages/aa/aaa.json");
    await put("verified/aa/aa");
    await put("a-file-of-somebody-else");
  };
  await everything();
  await pruneRemembered(home);
  const all = await files();
  for (const days of [0.1, 1.1, 29, 31, 179, 181, 366, 3660]) {
    await everything();
    await pruneRemembered(home, () => Date.now() + days * day);
    const left = all.filter(
      (name) =>
        !(days > 30 && name.startsWith("cacheA/v3")) && !(days > 180 && /packages|^verified/.test(name)),
    );
    expect(await files(), `after ${days} days`).toEqual(left);
  }
});

it("goes on after the clock was set back", async () => {
  await put(".pruned", -400);
  await put("verified/aa/aa", 200);
  await pruneRemembered(home);
  expect(await files()).toEqual([".pruned"]);
  expect((await stat(join(home, "index", ".pruned"))).mtimeMs).toBeLessThan(Date.now() + 60_000);
});

it.skipIf(process.getuid?.() === 0)("leaves what it may not remove", async () => {
  await put("verified/aa/aa", 200);
  const folder = join(home, "index/verified");
  await chmod(folder, 0o500);
  await pruneRemembered(home);
  await chmod(folder, 0o700);
});

it("needs nothing to be there", async () => {
  await pruneRemembered(join(home, "missing"));
  expect(await readdir(home)).toEqual(["missing"]);
});
