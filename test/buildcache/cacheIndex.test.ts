import { appendFile, readdir, readFile, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseDagHash } from "../../src/spec/concrete.ts";
import { answer } from "../support/faultServer.ts";
import {
  blobPath,
  cacheFiles2,
  cacheFiles3,
  manifestPath,
  paths2,
  testPackage,
  writeCache,
} from "../support/testCache.ts";
import {
  asked,
  events,
  key,
  mpich,
  open,
  packages,
  serve,
  server,
  warnings,
  work,
  zlib,
} from "./cachesOfTests.ts";

describe("layout v3", () => {
  it("refuses a spec blob that is not the one signed", async () => {
    const files = await cacheFiles3(packages, key.sign);
    for (const [path, bytes] of files) {
      if (!path.startsWith("blobs/") || bytes[0] !== 0x1f) continue;
      const changed = Buffer.from(bytes);
      changed[40] = (changed[40] ?? 0) ^ 1;
      files.set(path, changed);
    }
    serve(files);
    await expect(open().findPackage(asked(zlib, 5))).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("refuses manifests of another version and says so", async () => {
    const files = await cacheFiles3(packages);
    const path = manifestPath(zlib);
    const text = (files.get(path) ?? Buffer.alloc(0)).toString();
    files.set(path, Buffer.from(text.replace('"version": 3', '"version": 4')));
    files.set(manifestPath(mpich), Buffer.from(text.replaceAll("install.v2", "install.v9")));
    serve(files);
    await expect(open({ unsigned: true }).findPackage(asked(zlib, 5))).rejects.toMatchObject({
      code: "CACHE_INVALID",
    });
    await expect(open({ unsigned: true }).findPackage(asked(mpich, 5))).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });
});

describe("a cache in a directory", () => {
  const directory = () => join(work, "cache");

  it.each(["", "file://", "file:"])("is named by a path or URL (%s)", async (scheme) => {
    await writeCache(directory(), await cacheFiles3(packages, key.sign));
    const cache = open({ url: `${scheme}${directory()}` });
    const found = await cache.findPackage(asked(zlib, 5));
    if (found === undefined) throw new Error("not found");
    const archive = await cache.fetchArchive(found);
    // Used where it lies.
    expect(archive.path).toBe(join(directory(), blobPath(zlib.archive)));
    expect(found.size).toBe(zlib.archive.length);
  });

  it("hashes an archive once for each state of the file", async () => {
    await writeCache(directory(), await cacheFiles2(packages, key.sign));
    const cache = open({ url: directory() });
    const found = await cache.findPackage(asked(zlib, 4));
    if (found === undefined) throw new Error("not found");
    expect(found.size).toBe(zlib.archive.length);
    await cache.fetchArchive(found);
    await cache.fetchArchive(found);
    const ends = events.filter((event) => event.type === "task-end");
    expect(ends.map((event) => event.outcome)).toEqual(["done", "reused"]);
    const file = join(directory(), paths2(zlib).archive);
    await appendFile(file, "more");
    await expect(cache.fetchArchive(found)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    await writeFile(file, zlib.archive);
    const past = new Date(1000);
    await utimes(file, past, past);
    expect((await cache.fetchArchive(found)).digest).toBe(found.digest);
  });

  it("notices a changed metadata file at once", async () => {
    await writeCache(directory(), await cacheFiles2(packages, key.sign));
    expect(await open({ url: directory() }).findPackage(asked(zlib, 4))).toBeDefined();
    await unlink(join(directory(), `${paths2(zlib).metadata}.sig`));
    expect(await open({ url: directory() }).findPackage(asked(zlib, 4))).toBeUndefined();
  });

  it("says when there is nothing, or nothing of the kind", async () => {
    await expect(open({ url: join(work, "nothing") }).formats()).rejects.toMatchObject({
      code: "CACHE_UNAVAILABLE",
    });
    await expect(open({ url: work }).formats()).rejects.toMatchObject({ code: "CACHE_INVALID" });
    expect(() => open({ url: "gs://bucket" })).toThrowError(
      expect.objectContaining({ code: "NOT_SUPPORTED" }),
    );
  });
});

describe("the index", () => {
  const indexPath = "/cache/build_cache/index.json";

  it("agrees with what was written", async () => {
    serve(await cacheFiles2(packages, key.sign));
    const [index] = await open().indexes();
    expect(index).toMatchObject({ generation: "0.x", size: 3 });
    expect(index?.names()).toEqual(["mpich", "ring", "zlib"]);
    const hash = parseDagHash(zlib.hash);
    if (hash === undefined || index === undefined) throw new Error("no hash");
    expect(index.has(hash)).toBe(true);
    expect(index.spec(hash)).toMatchObject({ name: "zlib", version: "1.1", specfileVersion: 4 });
    expect(index.hashesOf("zlib")).toEqual([hash]);
    expect(index.hashesWithPrefix(zlib.hash.slice(0, 7))).toEqual([hash]);
    expect(index.hashesOf("nothing")).toEqual([]);
  });

  it("is fetched once, then only asked about", async () => {
    serve(await cacheFiles2(packages, key.sign));
    await open().indexes();
    server.requests.length = 0;
    await open().indexes();
    expect(server.requests.filter(({ method, path }) => method === "GET" && path === indexPath)).toEqual([]);
    serve(await cacheFiles2([...packages, testPackage("new", 9)], key.sign));
    expect((await open().indexes())[0]?.size).toBe(4);
    // Without the hash beside it, the ETag decides.
    server.files.delete(`${indexPath}.hash`);
    server.requests.length = 0;
    expect((await open().indexes())[0]?.size).toBe(4);
    expect(server.requests.filter(({ method, path }) => method === "GET" && path === indexPath)).toEqual([]);
    // A hash that does not fit (the two are not written at once) is no error.
    server.files.set(`${indexPath}.hash`, Buffer.from("0".repeat(64)));
    expect((await open().indexes())[0]?.size).toBe(4);
  });

  it("is taken from the last run, with a warning, when the cache cannot be reached", async () => {
    serve(await cacheFiles3(packages, key.sign));
    await open().indexes();
    server.faults.set(
      "/cache/v3/manifests/index/index.manifest.json",
      Array.from({ length: 9 }, () => answer(503)),
    );
    expect((await open().indexes())[0]?.size).toBe(3);
    expect(warnings()).toHaveLength(1);
  });

  it("is made again when the local copy is damaged", async () => {
    serve(await cacheFiles2(packages, key.sign));
    await open().indexes();
    const folder = join(work, "home", "index");
    for (const name of ["index.json", "table", "v2.json"]) {
      const found = (await readdir(folder, { recursive: true })).find((path) => path.endsWith(`/${name}`));
      const path = join(folder, found ?? "");
      const good = await readFile(path);
      await writeFile(path, good.subarray(0, good.length >> 1));
      expect((await open().indexes())[0]?.size, name).toBe(3);
    }
    expect(warnings()).toEqual([]);
  });

  it("notices damage inside the local copy when it comes to a spec, and the next run works", async () => {
    serve(await cacheFiles2(packages, key.sign));
    await open().indexes();
    const folder = join(work, "home", "index");
    const data = (await readdir(folder, { recursive: true })).find((name) => name.endsWith("index.json"));
    const path = join(folder, data ?? "");
    const bytes = await readFile(path, "utf8");
    await writeFile(path, bytes.replaceAll("makefile", "m0kefile"));
    const hash = parseDagHash(zlib.hash);
    const [index] = await open().indexes();
    if (hash === undefined || index === undefined) throw new Error("no index");
    expect(() => index.spec(hash)).toThrowError(expect.objectContaining({ code: "CACHE_INVALID" }));
    const [again] = await open().indexes();
    expect(again?.spec(hash)?.variants.get("build_system")).toBe("makefile");
  });

  it.each([
    ["an error page", "<html>"],
    ["garbage", '{"database":{"version":"8","installs":{"a"'],
    ["a version to come", '{"database":{"version":"10","installs":{}}}'],
    ["a version long gone", '{"database":{"version":"5","installs":{}}}'],
  ])("that is %s is one clear error", async (_, text) => {
    const files = await cacheFiles2(packages, key.sign);
    files.set("build_cache/index.json", Buffer.from(text));
    serve(files);
    await expect(open().indexes()).rejects.toMatchObject({ code: /CACHE_INVALID|NOT_SUPPORTED/ });
    // Packages can still be found by name.
    expect((await open().findPackage(asked(zlib, 4)))?.spec.name).toBe("zlib");
    serve(await cacheFiles2(packages, key.sign));
    expect((await open().indexes())[0]?.size).toBe(3);
  });

  it("whose blob is not the one named is refused", async () => {
    const files = await cacheFiles3(packages, key.sign);
    for (const [path, bytes] of files)
      if (bytes.toString("latin1").startsWith('{"database"')) files.set(path, Buffer.from(`${bytes} `));
    serve(files);
    await expect(open().indexes()).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });
});
