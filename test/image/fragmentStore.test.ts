import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFragment } from "../../src/archive/writeFragment.ts";
import { canonicalJson, fragmentKey, openFragmentStore } from "../../src/image/fragmentStore.ts";
import { entriesOf, file } from "../archive/streams.ts";
import { ageFiles } from "../support/ageFiles.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "spacktainers-store-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

const key = fragmentKey({ archive: "a" });
let made = 0;
const inventory = { entries: [{ path: "a", type: "file" as const, mode: 0o644, size: 3 }] };
const write = (content: string) => async (path: string) => {
  made++;
  return { facts: await writeFragment(path, entriesOf([file("a", content)])), inventory };
};
const files = () => readdirSync(scratch, { recursive: true, encoding: "utf8" });
const fileLike = (pattern: RegExp): string =>
  join(scratch, files().find((name) => pattern.test(name)) ?? "none");

describe("fragment store", () => {
  it("makes a fragment once, also when asked twice at the same time and by another store", async () => {
    made = 0;
    const store = openFragmentStore(scratch);
    expect(await store.find(key)).toBeUndefined();
    const [a, b] = await Promise.all([store.make(key, write("x")), store.make(key, write("x"))]);
    expect(a).toBe(b);
    const again = await openFragmentStore(scratch).make(key, write("x"));
    expect(again).toMatchObject({ digest: a.digest, diffId: a.diffId, path: a.path, parents: [] });
    expect(await again.inventory()).toEqual(inventory);
    expect(made).toBe(1);
  });

  it("makes again what is missing, cut or unreadable", async () => {
    const store = openFragmentStore(scratch);
    const first = await store.make(key, write("x"));
    const damages: (() => void)[] = [
      () => unlinkSync(first.path),
      () => {
        // Blobs are read-only; only root may write to them all the same.
        chmodSync(first.path, 0o644);
        truncateSync(first.path, 10);
      },
      () => unlinkSync(fileLike(/inventory/)),
      () => writeFileSync(fileLike(/keys.*[0-9a-f]\.json$/), '{"version":1,"digest":'),
      () => writeFileSync(fileLike(/keys.*[0-9a-f]\.json$/), '{"version":1,"digest":"sha256:x"}'),
      // Another diff ID is a digest as well.
      () => {
        const path = fileLike(/keys.*[0-9a-f]\.json$/);
        const text = readFileSync(path, "utf8");
        const digit = text.indexOf('"diffId":"sha256:') + 20;
        writeFileSync(
          path,
          `${text.slice(0, digit)}${text[digit] === "a" ? "b" : "a"}${text.slice(digit + 1)}`,
        );
      },
      () => {
        const path = fileLike(/keys.*[0-9a-f]\.json$/);
        writeFileSync(path, readFileSync(path, "utf8").replace(/"tarSize":\d+/, '"tarSize":1'));
      },
    ];
    for (const damage of damages) {
      damage();
      expect(await store.find(key)).toBeUndefined();
      made = 0;
      expect((await store.make(key, write("x"))).digest).toBe(first.digest);
      expect(made).toBe(1);
    }
  });

  it("removes a damaged inventory, so that the next run makes it again", async () => {
    const store = openFragmentStore(scratch);
    const first = await store.make(key, write("x"));
    writeFileSync(fileLike(/inventory/), "not gzip");
    await expect(first.inventory()).rejects.toMatchObject({ code: "IO" });
    expect(await (await store.make(key, write("x"))).inventory()).toEqual(inventory);
  });

  it("leaves nothing behind when making fails, and can be asked again", async () => {
    const store = openFragmentStore(scratch);
    const failing = store.make(key, async (path) => {
      writeFileSync(path, "half");
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(files().filter((name) => name.includes(".tmp-"))).toEqual([]);
    expect(await store.find(key)).toBeUndefined();
    await store.make(key, write("x"));
  });

  it("is bounded: the least recently used go first, with their keys", async () => {
    const store = openFragmentStore(scratch);
    const keys = ["1", "2", "3"].map((name) => fragmentKey(name));
    for (const each of keys) {
      await store.make(each, write(`content of ${each}`));
      ageFiles(scratch, 3700);
    }
    const [one, two, three] = keys;
    if (one === undefined || two === undefined || three === undefined) throw new Error("keys");
    const size = (await store.find(one))?.size ?? 0;
    ageFiles(scratch, 3700);
    const result = await store.prune(2.5 * size);
    expect(result.removed).toBe(1);
    expect([await store.find(one), await store.find(two), await store.find(three)].map(Boolean)).toEqual([
      true,
      false,
      true,
    ]);
    expect(files().filter((name) => name.endsWith(".json")).length).toBe(2);
  });

  it("drops inventories whose fragment was never finished", async () => {
    const store = openFragmentStore(scratch);
    await store.make(key, write("x"));
    unlinkSync(join(scratch, "keys", key.slice(0, 2), `${key}.json`));
    await store.prune(1e9);
    // It may be about to be finished.
    expect(files().filter((name) => name.endsWith(".gz"))).toHaveLength(1);
    ageFiles(scratch, 2 * 86_400);
    await store.prune(1e9);
    expect(files().filter((name) => name.endsWith(".gz"))).toEqual([]);
  });

  it("has keys that do not depend on the order of an object's keys", () => {
    expect(fragmentKey({ a: 1, b: [2, { d: 1, c: undefined }] })).toBe(
      fragmentKey({ b: [2, { d: 1 }], a: 1 }),
    );
    expect(fragmentKey({ a: [1, 2] })).not.toBe(fragmentKey({ a: [2, 1] }));
    expect(canonicalJson({ b: null, a: "ü" })).toBe('{"a":"ü","b":null}');
  });
});
