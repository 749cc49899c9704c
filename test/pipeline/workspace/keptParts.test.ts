import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  readKeptParts,
  removeItems,
  tidyKept,
  unusedItems,
} from "../../../src/pipeline/workspace/keptParts.ts";
import { acquireLock } from "../../../src/util/fileLock.ts";

const day = 86_400_000;
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spacktainers-kept-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Puts something there that was used so many days ago; a name that ends with a slash is a folder with a file in it. */
function keep(name: string, daysAgo: number, bytes = 10): string {
  const path = join(home, name);
  const file = name.endsWith("/") ? join(path, "fs/file") : path;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.alloc(bytes));
  const then = new Date(Date.now() - daysAgo * day);
  utimesSync(path, then, then);
  return path.replace(/\/$/, "");
}

describe("what is kept", () => {
  it("is counted part by part, a file or an unpacked image at a time", async () => {
    keep("downloads/sha256/ab/abcd", 3, 100);
    keep("downloads/sha256/cd/cdef", 1, 50);
    keep("rootfs/0123/", 2, 30);
    keep("rootfs/.0123.lock", 0);
    keep("unheard-of/x", 1, 7);
    const found = await readKeptParts(home);
    expect(
      found.map(({ name, precious, items }) => [name, precious, items.map(({ bytes }) => bytes)]),
    ).toEqual([
      ["downloads", false, [100, 50]],
      ["rootfs", false, [30]],
      ["unheard-of", true, [7]],
    ]);
    expect((await readKeptParts(home, { names: ["rootfs"] })).map(({ name }) => name)).toEqual(["rootfs"]);
    expect(await readKeptParts(join(home, "nothing"))).toEqual([]);
  });

  it("is unused when nobody has used it for so long, at least an hour, whatever the clock said", async () => {
    const names = ["facts/old", "facts/older", "facts/young", "facts/future", "facts/now"];
    const ages = [40, 400, 10, -40, 0];
    const paths = names.map((name, at) => keep(name, ages[at] ?? 0));
    const kept = await readKeptParts(home);
    const unused = async (days: number): Promise<readonly string[]> =>
      (await unusedItems(kept, days * day)).map(({ path }) => path).sort();
    expect(await unused(30)).toEqual([paths[0], paths[1], paths[3]].sort());
    expect(await unused(0)).toEqual(paths.slice(0, 4).sort());
    expect(await unused(1000)).toEqual([]);
  });

  it("stays when it is used between the look and the removal, or when somebody makes it just now", async () => {
    const used = keep("rootfs/aaaa/", 100);
    const made = keep("rootfs/bbbb/", 100);
    const gone = keep("rootfs/cccc/", 100, 25);
    const items = await unusedItems(await readKeptParts(home), day);
    expect(items).toHaveLength(3);
    const now = new Date();
    utimesSync(used, now, now);
    const release = await acquireLock(join(home, "rootfs/.bbbb.lock"), {});
    expect(await removeItems(items)).toEqual({ items: 1, bytes: 25 });
    await release?.();
    expect([used, made, gone].map((path) => existsSync(path))).toEqual([true, true, false]);
  });

  it("is tidied by itself once a day: what was not used for two months goes, but not what is precious", async () => {
    const old = keep("rootfs/aaaa/", 70);
    const young = keep("rootfs/bbbb/", 50);
    const precious = keep("spack/built/", 700);
    await tidyKept(home);
    expect([old, young, precious].map((path) => existsSync(path))).toEqual([false, true, true]);
    const again = keep("rootfs/aaaa/", 70);
    await tidyKept(home);
    expect(existsSync(again)).toBe(true);
    await tidyKept(home, () => Date.now() + 1.1 * day);
    expect(existsSync(again)).toBe(false);
    // The marker says when; nothing else is left behind.
    expect(readdirSync(home).sort()).toEqual([".tidied", "rootfs", "spack"]);
  });

  it("is looked at again after the clock was set back", async () => {
    await tidyKept(home);
    const marker = join(home, ".tidied");
    const later = new Date(Date.now() + 365 * day);
    utimesSync(marker, later, later);
    const old = keep("facts/old", 100);
    await tidyKept(home);
    expect(existsSync(old)).toBe(false);
    expect(statSync(marker).mtimeMs).toBeLessThan(Date.now() + day);
  });

  it("is left alone where it cannot be written, and that is no failure", async () => {
    writeFileSync(join(home, "file"), "");
    await tidyKept(join(home, "file"));
    await tidyKept("/proc/nothing");
  });
});
