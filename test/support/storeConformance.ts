/** What every store must do, whatever it is made of. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ListedFile, PutResult, Store, StoreWriter } from "../../src/store/store.ts";
import { digestOf } from "../../src/util/digest.ts";

/** A store to be tried, and a way to put files into it that does not go through it. */
export interface TriedStore {
  readonly store: Store;
  fill(files: ReadonlyMap<string, Buffer>): Promise<void>;
}

/** What the kinds of stores differ in. */
export interface StoreTraits {
  /** Files lie on this machine. */
  readonly local: boolean;
  /** Files can be listed and written. */
  readonly writable: boolean;
  /** Of writes with a condition that come at once only one is done. */
  readonly atomic: boolean;
  /** Bytes of a file that is large for this store. */
  readonly large: number;
}

/**
 * Tries a kind of store.
 *
 * @param open an empty one
 */
export function describeStore(name: string, traits: StoreTraits, open: () => Promise<TriedStore>): void {
  describe(name, () => {
    const content = randomBytes(100_000);
    const names = ["file", "a/b/c d+é%20#?.json", "a/b/other", "empty", "a-b/x"];
    let store: Store;
    let tried: TriedStore;
    let scratch: string;
    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), "spacktainers-store-"));
    });
    afterAll(() => rm(scratch, { recursive: true, force: true }));
    beforeEach(async () => {
      tried = await open();
      store = tried.store;
      await tried.fill(
        new Map(
          names.map((path) => [
            path,
            path === "empty" ? Buffer.alloc(0) : Buffer.concat([Buffer.from(path), content]),
          ]),
        ),
      );
    });
    afterEach(() => store.close());
    const bytesOf = (path: string): Buffer => Buffer.concat([Buffer.from(path), content]);
    const maxBytes = 200_000;
    const read = async (path: string): Promise<string | undefined> => {
      const { status, bytes } = await store.get(path, { maxBytes });
      return status === "found" ? Buffer.from(bytes).toString("latin1") : undefined;
    };

    it("reads files, and parts of them", async () => {
      for (const path of names.slice(0, 3)) {
        const found = await store.get(path, { maxBytes });
        expect(found.status).toBe("found");
        expect(Buffer.from(found.bytes).equals(bytesOf(path)), path).toBe(true);
        expect(Buffer.from(await store.getRange(path, 50, 100)).equals(bytesOf(path).subarray(50, 150))).toBe(
          true,
        );
        expect((await store.getRange(path, bytesOf(path).length - 5, 100)).length).toBe(5);
        expect((await store.getRange(path, bytesOf(path).length + 5, 100)).length).toBe(0);
        expect((await store.stat(path))?.size).toBe(bytesOf(path).length);
        expect(store.locate(path).startsWith(store.url)).toBe(true);
      }
      expect(await read("empty")).toBe("");
    });

    it("knows what is not there", async () => {
      for (const path of ["missing", "a", "a/b", "file/below", "a/b/missing"]) {
        expect((await store.get(path, { maxBytes })).status, path).toBe("missing");
        expect(await store.stat(path), path).toBeUndefined();
        await expect(store.getRange(path, 0, 5), path).rejects.toMatchObject({ code: "NOT_FOUND" });
        await expect(store.download(path, join(scratch, "none"), {})).rejects.toMatchObject({
          code: "NOT_FOUND",
        });
      }
      expect((await readdir(scratch)).filter((one) => one.startsWith("none"))).toEqual([]);
    });

    it("tells whether a file is still what it was", async () => {
      const first = await store.get("file", { maxBytes });
      if (first.version === undefined) throw new Error("no version");
      expect((await store.stat("file"))?.version).toBe(first.version);
      expect(await store.get("file", { maxBytes, version: first.version })).toMatchObject({
        status: "unchanged",
        version: first.version,
      });
      await tried.fill(new Map([["file", Buffer.from("changed")]]));
      const second = await store.get("file", { maxBytes, version: first.version });
      expect(second.status).toBe("found");
      expect(second.version).not.toBe(first.version);
    });

    it("refuses more than it was asked for", async () => {
      await expect(store.get("file", { maxBytes: 1000 })).rejects.toMatchObject({
        code: expect.stringMatching(/^(NETWORK|CACHE_INVALID)$/),
      });
    });

    it("refuses paths that lead out", async () => {
      for (const path of ["../file", "a/../../file", "a//b", "./file", "/etc/passwd", "a/", "a\0b"]) {
        await expect(async () => store.get(path, { maxBytes }), path).rejects.toMatchObject({
          code: "CACHE_INVALID",
        });
        expect(() => store.locate(path), path).toThrow(expect.objectContaining({ code: "CACHE_INVALID" }));
      }
    });

    it("downloads, verified", async () => {
      const target = join(scratch, "downloaded");
      const expectedDigest = digestOf(bytesOf("file"));
      const done = await store.download("file", target, {
        expectedDigest,
        expectedSize: bytesOf("file").length,
      });
      expect(done).toEqual({ digest: expectedDigest, size: bytesOf("file").length });
      expect((await readFile(target)).equals(bytesOf("file"))).toBe(true);
      const other = join(scratch, "other");
      for (const wrong of [{ expectedDigest: digestOf("x") }, { expectedSize: 5 }])
        await expect(store.download("file", other, wrong)).rejects.toMatchObject({
          code: "CHECKSUM_MISMATCH",
        });
      expect((await readdir(scratch)).sort()).toEqual(["downloaded"]);
      await rm(target);
    });

    it("knows files of this machine, and folders as far as it can", async () => {
      expect(store.localFile("file") !== undefined).toBe(traits.local);
      const known = traits.writable ? [true, false] : [undefined, undefined];
      expect([await store.hasFolder("a/b"), await store.hasFolder("nothing")]).toEqual(known);
      expect([store.list !== undefined, store.writer !== undefined]).toEqual([
        traits.writable,
        traits.writable,
      ]);
    });

    if (!traits.writable) return;

    const writer = (): StoreWriter => {
      if (store.writer === undefined) throw new Error("cannot be written");
      return store.writer;
    };
    const put = (
      path: string,
      text: string,
      condition?: Parameters<StoreWriter["put"]>[2],
    ): Promise<PutResult> => writer().put(path, Buffer.from(text), condition);
    const listed = async (folder: string): Promise<readonly string[]> => {
      const files: ListedFile[] = [];
      for await (const file of store.list?.(folder) ?? []) files.push(file);
      for (const { path, ...facts } of files) {
        expect(await store.stat(path)).toEqual(facts);
        expect(Math.abs(Date.now() - (facts.modified ?? 0))).toBeLessThan(3_600_000);
      }
      return files.map(({ path }) => path).sort();
    };

    it("lists files below a folder, and no others", async () => {
      expect(await listed("")).toEqual([...names].sort());
      expect(await listed("a")).toEqual(["a/b/c d+é%20#?.json", "a/b/other"]);
      expect(await listed("a/b")).toEqual(["a/b/c d+é%20#?.json", "a/b/other"]);
      expect(await listed("nothing")).toEqual([]);
      expect(await listed("file")).toEqual([]);
    });

    it("writes files as a whole, new ones and others, and says their version", async () => {
      let bytes = 0;
      const onBytes = (more: number): void => {
        bytes += more;
      };
      const large = randomBytes(traits.large);
      const path = join(scratch, "large");
      await writeFile(path, large);
      for (const [target, body, expected] of [
        ["new/folder/file", Buffer.from("hello"), Buffer.from("hello")],
        ["file", Buffer.from("other"), Buffer.from("other")],
        ["nothing", Buffer.alloc(0), Buffer.alloc(0)],
        ["large", { path, size: large.length }, large],
        ["file", { path, size: large.length }, large],
      ] as const) {
        bytes = 0;
        const result = await writer().put(target, body, { mediaType: "application/x-test", onBytes });
        expect(result.written).toBe(true);
        if (result.written) expect(result.version).toBe((await store.stat(target))?.version);
        const found = await store.get(target, { maxBytes: traits.large });
        expect(Buffer.from(found.bytes).equals(expected), target).toBe(true);
        expect(bytes).toBe(expected.length);
      }
      await rm(path);
      expect(await listed("new")).toEqual(["new/folder/file"]);
    });

    it("tries whether files can be put, and leaves nothing of it", async () => {
      const before = await listed("");
      await writer().expectWritable();
      expect(await listed("")).toEqual(before);
    });

    it("removes files, and does not mind those that are not there", async () => {
      await writer().delete("a/b/other");
      expect(await read("a/b/other")).toBeUndefined();
      for (const path of ["a/b/other", "nothing", "nothing/below", "file/below"]) await writer().delete(path);
      expect(await listed("")).toEqual(names.filter((one) => one !== "a/b/other").sort());
    });

    it("writes what is absent only when it is", async () => {
      expect((await put("fresh", "1", { condition: "absent" })).written).toBe(true);
      expect((await put("fresh", "2", { condition: "absent" })).written).toBe(false);
      expect((await put("file", "2", { condition: "absent" })).written).toBe(false);
      expect(await read("fresh")).toBe("1");
      await writer().delete("fresh");
      expect((await put("fresh", "3", { condition: "absent" })).written).toBe(true);
      expect(await read("fresh")).toBe("3");
    });

    it("writes what is unchanged only when it is", async () => {
      const first = await put("file", "1");
      if (!first.written || first.version === undefined) throw new Error("no version");
      const second = await put("file", "2", { condition: { version: first.version } });
      expect(second.written).toBe(true);
      expect((await put("file", "3", { condition: { version: first.version } })).written).toBe(false);
      expect(await read("file")).toBe("2");
      await writer().delete("file");
      expect((await put("file", "4", { condition: { version: first.version } })).written).toBe(false);
      expect(await read("file")).toBeUndefined();
    });

    it("holds conditions for large files, too", async () => {
      const path = join(scratch, "large");
      await writeFile(path, randomBytes(traits.large));
      const body = { path, size: traits.large };
      const first = await writer().put("large", body, { condition: "absent" });
      expect(first.written).toBe(true);
      expect((await writer().put("large", body, { condition: "absent" })).written).toBe(false);
      if (!first.written || first.version === undefined) throw new Error("no version");
      const { version } = first;
      expect((await writer().put("large", Buffer.from("small"), { condition: { version } })).written).toBe(
        true,
      );
      expect((await writer().put("large", body, { condition: { version } })).written).toBe(false);
      expect(await read("large")).toBe("small");
      await rm(path);
    });

    it("leaves nothing of what fails", async () => {
      const gone = join(scratch, "gone");
      await expect(writer().put("a/new", { path: gone, size: 5 })).rejects.toMatchObject({
        code: "NOT_FOUND",
      });
      await writeFile(gone, "four");
      await expect(writer().put("a/new", { path: gone, size: 5 })).rejects.toMatchObject({ code: "IO" });
      await rm(gone);
      expect(await listed("")).toEqual([...names].sort());
    });

    it.runIf(traits.atomic)("of several that count at once, none is lost", async () => {
      await put("count", "0");
      const increments = Array.from({ length: 12 }, async () => {
        for (let attempt = 0; attempt < 500; attempt++) {
          const { bytes, version } = await store.get("count", { maxBytes });
          if (version === undefined) throw new Error("no version");
          const next = String(Number(Buffer.from(bytes).toString()) + 1);
          if ((await put("count", next, { condition: { version } })).written) return;
        }
        throw new Error("never succeeded");
      });
      await Promise.all(increments);
      expect(await read("count")).toBe("12");
      const firsts = await Promise.all(
        Array.from({ length: 12 }, (_, at) => put("first", `${at}`, { condition: "absent" })),
      );
      expect(firsts.filter(({ written }) => written)).toHaveLength(1);
      expect(await read("first")).toBe(String(firsts.findIndex(({ written }) => written)));
    });
  });
}
