import { appendFile, mkdtemp, readdir, readFile, rm, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBuildCache } from "../../src/buildcache/buildCache.ts";
import { openCacheSet } from "../../src/buildcache/cacheSet.ts";
import type { PackageId } from "../../src/buildcache/formats/packageId.ts";
import { withOtherCopies } from "../../src/buildcache/otherCopy.ts";
import type { CacheSource } from "../../src/buildcache/types.ts";
import { parseDagHash } from "../../src/spec/concrete.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { ageFiles } from "../support/ageFiles.ts";
import { answer, type FaultServer, resetAfter, startFaultServer } from "../support/faultServer.ts";
import { extended, keyFile, makeKey, revocationOf, revoked, type TestKey } from "../support/signingKey.ts";
import {
  blobPath,
  cacheFiles2,
  cacheFiles3,
  manifestPath,
  nodeOf,
  paths2,
  type TestPackage,
  testPackage,
  writeCache,
} from "../support/testCache.ts";

let key: TestKey;
let stranger: TestKey;
let server: FaultServer;
let second: FaultServer;
let work: string;
let events: WorkEvent[];
const packages = [testPackage("zlib", 1), testPackage("mpich", 2), testPackage("ring", 3, 400_000)];
const [zlib, mpich, ring] = packages as [TestPackage, TestPackage, TestPackage];

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeKey(), makeKey()]);
  server = await startFaultServer();
  second = await startFaultServer();
});
afterAll(async () => {
  await Promise.all([server.close(), second.close()]);
});
beforeEach(async () => {
  if (work !== undefined) await rm(work, { recursive: true, force: true });
  work = await mkdtemp(join(tmpdir(), "spacktainers-cache-"));
  events = [];
  for (const one of [server, second]) {
    one.files.clear();
    one.faults.clear();
    one.requests.length = 0;
  }
});
afterAll(() => rm(work, { recursive: true, force: true }));

const layouts = [
  ["v2", cacheFiles2, 4],
  ["v3", cacheFiles3, 5],
] as const;

const asked = (pkg: TestPackage, specfileVersion: 4 | 5): PackageId =>
  readNode(nodeOf(pkg, specfileVersion), specfileVersion, {});

function serve(files: ReadonlyMap<string, Buffer>, on = server): void {
  for (const [path, bytes] of files) on.files.set(`/cache/${path}`, bytes);
}

function source(over: Partial<CacheSource> = {}): CacheSource {
  return {
    url: `${server.url}/cache`,
    keys: [key.file],
    unsigned: false,
    ...over,
  };
}

const options = (over: object = {}) => ({
  emit: (event: WorkEvent) => {
    events.push(event);
  },
  cacheDir: join(work, "home"),
  retries: 2,
  retryDelayMs: 5,
  ...over,
});

const open = (over: Partial<CacheSource> = {}, more: object = {}) =>
  openBuildCache(source(over), options(more));
const warnings = () => events.filter((event) => event.type === "warning");

describe.each(layouts)("a cache in layout %s", (_, makeFiles, version) => {
  const id = (pkg: TestPackage) => asked(pkg, version);

  it("gives verified packages and their archives", async () => {
    serve(await makeFiles(packages, key.sign));
    const cache = open();
    for (const pkg of packages) {
      const found = await cache.findPackage(id(pkg));
      expect(found).toMatchObject({
        digest: digestOf(pkg.archive),
        signedBy: key.fingerprint,
        cacheUrl: `${server.url}/cache`,
        spec: { name: pkg.name, hash: pkg.hash },
      });
      if (found === undefined) continue;
      const archive = await cache.fetchArchive(found);
      expect(digestOf(await readFile(archive.path))).toBe(found.digest);
      expect(archive.size).toBe(pkg.archive.length);
      const head = await cache.fetchArchiveHead(found, 100);
      expect(Buffer.from(head).equals(pkg.archive.subarray(0, 100))).toBe(true);
    }
    expect(await cache.findPackage(id(testPackage("other", 99)))).toBeUndefined();
  });

  it("tells the sizes of archives without downloading them, and whether they are here", async () => {
    serve(await makeFiles(packages, key.sign));
    const cache = open();
    const found = await cache.findPackage(id(zlib));
    if (found === undefined) throw new Error("not found");
    expect(found.size).toBe(found.format === "v3" ? zlib.archive.length : undefined);
    server.requests.length = 0;
    expect(await cache.archiveSize(found)).toBe(zlib.archive.length);
    // Layout v2 does not say it in its metadata: the cache is asked, once.
    expect(server.requests.length).toBe(found.format === "v2" ? 1 : 0);
    server.requests.length = 0;
    expect(await open().archiveSize(found)).toBe(zlib.archive.length);
    expect(server.requests).toEqual([]);
    expect(await cache.hasLocalArchive(found)).toBe(false);
    await cache.fetchArchive(found);
    expect(await cache.hasLocalArchive(found)).toBe(true);
    expect(await open().hasLocalArchive(found)).toBe(true);
  });

  it("asks nothing again for what is known and here", async () => {
    serve(await makeFiles(packages, key.sign));
    const first = open();
    const found = await first.findPackage(id(zlib));
    if (found === undefined) throw new Error("not found");
    await first.fetchArchive(found);
    server.requests.length = 0;
    const again = open();
    const known = await again.findPackage(id(zlib));
    expect(known).toEqual(found);
    if (known !== undefined) await again.fetchArchive(known);
    expect(server.requests).toEqual([]);
    // Other keys: everything is verified anew.
    await expect(open({ keys: [stranger.file] }).findPackage(id(zlib))).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
    });
    expect(server.requests.length).toBeGreaterThan(0);
  });

  it("asks whether it changed when the archive is not here, and notices that it did", async () => {
    serve(await makeFiles(packages, key.sign));
    const before = await open().findPackage(id(zlib));
    server.requests.length = 0;
    expect(await open().findPackage(id(zlib))).toEqual(before);
    expect(server.requests).toHaveLength(1);
    const again = { ...zlib, archive: Buffer.from("pushed again") };
    serve(await makeFiles([again], key.sign));
    expect((await open().findPackage(id(zlib)))?.digest).toBe(digestOf(again.archive));
  });

  it("uses what it knows when the cache cannot be reached", async () => {
    serve(await makeFiles(packages, key.sign));
    const found = await open().findPackage(id(zlib));
    server.faults.set(
      `/cache/${version === 4 ? `${paths2(zlib).metadata}.sig` : manifestPath(zlib)}`,
      Array.from({ length: 10 }, () => answer(503)),
    );
    expect(await open().findPackage(id(zlib))).toEqual(found);
  });

  it("remembers a package for as long as the key that signed it is good, by any clock", async () => {
    const day = 86_400_000;
    const short = await makeKey({ date: new Date(Date.now() - day), lifetimeSeconds: 30 * 86_400 });
    const at = (days: number, more: object = {}) =>
      open({ keys: [short.file] }, { clock: () => Date.now() + days * day, ...more });
    serve(await makeFiles(packages, short.sign));
    const found = await at(0).findPackage(id(zlib));
    if (found === undefined) throw new Error("not found");
    await at(0).fetchArchive(found);
    server.requests.length = 0;
    for (const days of [0.1, 1, 28]) expect(await at(days).findPackage(id(zlib))).toEqual(found);
    expect(server.requests).toEqual([]);
    const expired = { code: "KEY_INVALID", message: expect.stringContaining("expired") };
    for (const more of [{}, { refresh: true }])
      for (const days of [30, 365])
        await expect(at(days, more).findPackage(id(zlib))).rejects.toMatchObject(expired);
    // Its owner extends it: the package is good again.
    const longer = keyFile(await extended(short, 400 * 86_400, new Date()));
    const again = open({ keys: [longer] }, { clock: () => Date.now() + 365 * day });
    expect((await again.findPackage(id(zlib)))?.signedBy).toBe(short.fingerprint);
  });

  it("forgets a package at once when a revocation arrives, in whatever file", async () => {
    const owner = await makeKey();
    serve(await makeFiles(packages, owner.sign));
    const found = await open({ keys: [owner.file] }).findPackage(id(zlib));
    if (found === undefined) throw new Error("not found");
    await open({ keys: [owner.file] }).fetchArchive(found);
    const files = [keyFile(await revoked(owner)), keyFile(await revocationOf(owner))];
    const refused = { code: "KEY_INVALID", message: expect.stringContaining("revoked") };
    for (const file of files)
      for (const keys of [
        [owner.file, file],
        [file, owner.file],
        [stranger.file, owner.file, file],
      ])
        await expect(open({ keys }).findPackage(id(zlib))).rejects.toMatchObject(refused);
    const behind = keyFile(owner.armored + (await revocationOf(owner)));
    await expect(open({ keys: [behind] }).findPackage(id(zlib))).rejects.toMatchObject(refused);
  });

  it("asks anyway when told to refresh", async () => {
    serve(await makeFiles(packages, key.sign));
    const found = await open().findPackage(id(zlib));
    if (found !== undefined) await open().fetchArchive(found);
    server.requests.length = 0;
    await open({}, { refresh: true }).findPackage(id(zlib));
    expect(server.requests).toHaveLength(1);
  });

  it("works without an index, and without knowing the layout", async () => {
    const files = await makeFiles(packages, key.sign);
    for (const path of [...files.keys()]) if (/index|layout\.json/.test(path)) files.delete(path);
    serve(files);
    const cache = open();
    expect((await cache.findPackage(id(zlib)))?.spec.name).toBe("zlib");
    expect(await cache.indexes()).toEqual([]);
  });

  it("refuses a signature by someone else", async () => {
    serve(await makeFiles(packages, stranger.sign));
    await expect(open().findPackage(id(zlib))).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
      message: expect.stringContaining(stranger.fingerprint.slice(-16)),
    });
  });

  it("refuses unsigned packages unless the configuration says so", async () => {
    serve(await makeFiles(packages));
    await expect(open().findPackage(id(zlib))).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    const found = await open({ unsigned: true }).findPackage(id(zlib));
    expect(found).toMatchObject({ digest: digestOf(zlib.archive), signedBy: undefined });
    // What was accepted then is not accepted now.
    await expect(open().findPackage(id(zlib))).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
  });

  it("takes signed packages from a cache that need not be, but not with a wrong signature", async () => {
    const files = await makeFiles(packages, key.sign);
    serve(files);
    expect((await open({ unsigned: true, keys: [] }).findPackage(id(zlib)))?.signedBy).toBeUndefined();
    expect((await open({ unsigned: true }).findPackage(id(zlib)))?.signedBy).toBe(key.fingerprint);
    const path = version === 4 ? `${paths2(mpich).metadata}.sig` : manifestPath(mpich);
    const text = (files.get(path) ?? Buffer.alloc(0)).toString();
    files.set(path, Buffer.from(text.replace(/[0-9a-f]{64}/, (hex) => hex.split("").reverse().join(""))));
    serve(files);
    await expect(open({ unsigned: true }).findPackage(id(mpich))).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
  });

  it("refuses a flipped byte in the archive, and the next run works", async () => {
    const files = await makeFiles(packages, key.sign);
    const path = version === 4 ? paths2(ring).archive : blobPath(ring.archive);
    const flipped = Buffer.from(ring.archive);
    flipped[200_000] = (flipped[200_000] ?? 0) ^ 1;
    serve(new Map([...files, [path, flipped]]));
    const cache = open();
    const found = await cache.findPackage(id(ring));
    if (found === undefined) throw new Error("not found");
    await expect(cache.fetchArchive(found)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    serve(files);
    const next = open();
    const again = await next.findPackage(id(ring));
    if (again === undefined) throw new Error("not found");
    expect((await next.fetchArchive(again)).digest).toBe(digestOf(ring.archive));
    expect(await readdir(join(work, "home", "downloads", "incoming"))).toEqual([]);
  });

  it("refuses a truncated archive, and resumes a broken download", async () => {
    const files = await makeFiles(packages, key.sign);
    const path = version === 4 ? paths2(ring).archive : blobPath(ring.archive);
    serve(new Map([...files, [path, ring.archive.subarray(0, 399_000)]]));
    const found = await open().findPackage(id(ring));
    if (found === undefined) throw new Error("not found");
    await expect(open().fetchArchive(found)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
    serve(files);
    server.faults.set(`/cache/${path}`, [resetAfter(150_000), answer(503)]);
    const archive = await open().fetchArchive(found);
    expect(digestOf(await readFile(archive.path))).toBe(found.digest);
  });

  it("fetches one archive once, however often it is asked for at once", async () => {
    serve(await makeFiles(packages, key.sign));
    const cache = open();
    const found = await cache.findPackage(id(ring));
    if (found === undefined) throw new Error("not found");
    server.requests.length = 0;
    const all = await Promise.all(Array.from({ length: 20 }, () => cache.fetchArchive(found)));
    expect(new Set(all.map(({ path }) => path)).size).toBe(1);
    expect(server.requests).toHaveLength(1);
  });

  it("two caches objects (as two processes would) may fetch the same archive at once", async () => {
    serve(await makeFiles(packages, key.sign));
    const found = await open().findPackage(id(ring));
    if (found === undefined) throw new Error("not found");
    const all = await Promise.all(Array.from({ length: 4 }, () => open().fetchArchive(found)));
    for (const { path } of all) expect(digestOf(await readFile(path))).toBe(found.digest);
  });

  it("refuses the metadata of another package under this one's name", async () => {
    const files = await makeFiles(packages, key.sign);
    const path = (pkg: TestPackage) => (version === 4 ? `${paths2(pkg).metadata}.sig` : manifestPath(pkg));
    const other = files.get(path(mpich)) ?? Buffer.alloc(0);
    serve(new Map([...files, [path(zlib), other]]));
    await expect(open().findPackage(id(zlib))).rejects.toMatchObject({
      code: "IDENTITY_MISMATCH",
      message: expect.stringMatching(/mpich.*zlib/),
    });
  });

  it("says when the index lists what is not there", async () => {
    const files = await makeFiles(packages, key.sign);
    files.delete(version === 4 ? `${paths2(zlib).metadata}.sig` : manifestPath(zlib));
    serve(files);
    const cache = open();
    await cache.indexes();
    await expect(cache.findPackage(id(zlib))).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      message: expect.stringContaining("index"),
    });
  });

  it("waits out the moment in which a package is pushed again", async () => {
    serve(await makeFiles(packages, key.sign));
    const cache = open();
    await cache.indexes();
    const path = version === 4 ? `${paths2(zlib).metadata}.sig` : manifestPath(zlib);
    server.faults.set(`/cache/${path}`, [answer(404), answer(404)]);
    expect((await cache.findPackage(id(zlib)))?.spec.name).toBe("zlib");
  });

  it("reports refused access and unreachable servers, with the place and without credentials", async () => {
    const secret = server.url.replace("http://", "http://user:secret@");
    const first = version === 4 ? "build_cache/index.json" : "v3/layout.json";
    serve(await makeFiles(packages, key.sign));
    for (const path of ["v3/layout.json", first])
      server.faults.set(`/cache/${path}`, [answer(403), answer(403)]);
    const denied = await open({ url: `${secret}/cache` })
      .findPackage(id(zlib))
      .catch((thrown) => thrown);
    expect(denied).toMatchObject({ code: "ACCESS_DENIED" });
    expect(JSON.stringify([denied.message, denied.place, denied.hint])).not.toContain("secret");
    const gone = await startFaultServer();
    await gone.close();
    await expect(open({ url: `${gone.url}/cache` }).findPackage(id(zlib))).rejects.toMatchObject({
      code: "NETWORK",
    });
  });

  it("takes a refusal for absence once something could be read (object stores answer so)", async () => {
    serve(await makeFiles(packages, key.sign));
    const other = testPackage("other", 99);
    const path = version === 4 ? `${paths2(other).metadata}.sig` : manifestPath(other);
    server.faults.set(`/cache/${path}`, [answer(403)]);
    expect(await open().findPackage(id(other))).toBeUndefined();
  });
});

describe("a cache in both layouts", () => {
  it("is asked for v3 first, then v2", async () => {
    serve(
      new Map([...(await cacheFiles2([zlib, mpich], key.sign)), ...(await cacheFiles3([zlib], key.sign))]),
    );
    const cache = open();
    expect(await cache.formats()).toEqual(["v3", "v2"]);
    expect((await cache.findPackage(asked(zlib, 4)))?.format).toBe("v3");
    expect((await cache.findPackage(asked(mpich, 4)))?.format).toBe("v2");
    expect((await cache.indexes()).map((index) => [index.generation, index.size])).toEqual([
      ["1.x", 1],
      ["0.x", 2],
    ]);
  });
});

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

describe("several caches", () => {
  const both = () => [source(), source({ url: `${second.url}/cache` })];

  it("are asked in order, and the first copy that verifies is taken", async () => {
    serve(await cacheFiles3([zlib], key.sign));
    serve(await cacheFiles3([zlib, mpich], key.sign), second);
    const set = openCacheSet(both(), options());
    expect((await set.findPackage(asked(zlib, 5))).cacheUrl).toBe(`${server.url}/cache`);
    const found = await set.findPackage(asked(mpich, 5));
    expect(found.cacheUrl).toBe(`${second.url}/cache`);
    expect((await set.fetchArchive(found)).digest).toBe(digestOf(mpich.archive));
    expect((await set.index()).names()).toEqual(["mpich", "zlib"]);
    expect((await set.index()).size).toBe(2);
    expect(warnings()).toEqual([]);
  });

  it("a copy that cannot be trusted is reported and the next cache is asked", async () => {
    serve(await cacheFiles3([zlib], stranger.sign));
    serve(await cacheFiles3([zlib], key.sign), second);
    const set = openCacheSet(both(), options());
    expect((await set.findPackage(asked(zlib, 5))).cacheUrl).toBe(`${second.url}/cache`);
    expect(warnings()).toMatchObject([{ code: "KEY_UNKNOWN" }]);
  });

  it("an unreachable one is left out with one warning when the others do", async () => {
    const gone = await startFaultServer();
    await gone.close();
    serve(await cacheFiles3(packages, key.sign), second);
    const set = openCacheSet(
      [source({ url: `${gone.url}/c` }), source({ url: `${second.url}/cache` })],
      options(),
    );
    expect((await set.index()).size).toBe(3);
    for (const pkg of packages) await set.findPackage(asked(pkg, 5));
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatchObject({ message: expect.stringContaining(gone.url) });
  });

  it("say for a missing package which caches were asked, or could not be", async () => {
    serve(await cacheFiles3([zlib], key.sign));
    serve(await cacheFiles3([zlib], key.sign), second);
    await expect(openCacheSet(both(), options()).findPackage(asked(ring, 5))).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      hint: expect.stringContaining(second.url),
    });
    await expect(openCacheSet([], options()).findPackage(asked(ring, 5))).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      message: expect.stringContaining("no build cache is configured"),
    });
    const gone = await startFaultServer();
    await gone.close();
    const set = openCacheSet([source(), source({ url: `${gone.url}/c` })], options());
    await expect(set.findPackage(asked(ring, 5))).rejects.toMatchObject({
      code: "CACHE_UNAVAILABLE",
      message: expect.stringContaining(gone.url),
    });
  });

  it("give every refusal when no copy can be trusted", async () => {
    serve(await cacheFiles3([zlib], stranger.sign));
    serve(await cacheFiles3([zlib]), second);
    await expect(openCacheSet(both(), options()).findPackage(asked(zlib, 5))).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
      message: expect.stringMatching(/not trusted here.*not signed/),
    });
  });

  describe.each(layouts)(
    "in layout %s, when the first has a copy that is of no use",
    (_, makeFiles, version) => {
      const id = (pkg: TestPackage) => asked(pkg, version);
      const archiveOf = (pkg: TestPackage) => (version === 4 ? paths2(pkg).archive : blobPath(pkg.archive));
      const metadataOf = (pkg: TestPackage) =>
        version === 4 ? `${paths2(pkg).metadata}.sig` : manifestPath(pkg);
      const flip = (bytes: Buffer): Buffer => {
        const flipped = Buffer.from(bytes);
        flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] ?? 0) ^ 1;
        return flipped;
      };
      /** Both caches with everything, then a change to the first. */
      async function serveBoth(change: (files: Map<string, Buffer>) => void | Promise<void>) {
        const files = await makeFiles(packages, key.sign);
        serve(files, second);
        await change(files);
        serve(files);
      }

      it.each<[string, string, (files: Map<string, Buffer>) => void]>([
        ["missing", "NOT_FOUND", (files) => files.delete(archiveOf(ring))],
        ["damaged", "CHECKSUM_MISMATCH", (files) => files.set(archiveOf(ring), flip(ring.archive))],
        [
          "cut off",
          "CHECKSUM_MISMATCH",
          (files) => files.set(archiveOf(ring), ring.archive.subarray(0, 1000)),
        ],
        ["empty", "CHECKSUM_MISMATCH", (files) => files.set(archiveOf(ring), Buffer.alloc(0))],
      ])("the next one's archive is taken when it is %s, with a warning", async (_kind, code, change) => {
        await serveBoth(change);
        const set = openCacheSet(both(), options());
        const found = await set.findPackage(id(ring));
        expect(found.cacheUrl).toBe(`${server.url}/cache`);
        const archive = await set.fetchArchive(found);
        expect((await readFile(archive.path)).equals(ring.archive)).toBe(true);
        expect(warnings()).toMatchObject([
          { code, message: expect.stringMatching(new RegExp(`^ring@1.3/.*${second.url}/cache is used$`)) },
        ]);
        // Asked again, in this run and in the next: it is here.
        expect((await set.fetchArchive(await set.findPackage(id(ring)))).path).toBe(archive.path);
        expect(await readdir(join(work, "home", "downloads", "incoming"))).toEqual([]);
      });

      it.each<[string, string, (files: Map<string, Buffer>) => void]>([
        ["missing", "PACKAGE_NOT_CACHED", (files) => files.delete(metadataOf(ring))],
        [
          "damaged",
          "SIGNATURE_INVALID",
          (files) => files.set(metadataOf(ring), flip(files.get(metadataOf(ring)) ?? Buffer.alloc(0))),
        ],
        [
          "no metadata at all",
          "SIGNATURE_MISSING",
          (files) => files.set(metadataOf(ring), Buffer.from("<html>")),
        ],
        [
          "another's",
          "IDENTITY_MISMATCH",
          (files) => files.set(metadataOf(ring), files.get(metadataOf(zlib)) ?? Buffer.alloc(0)),
        ],
      ])("the next one's metadata is taken when it is %s, with a warning", async (_kind, code, change) => {
        await serveBoth(change);
        const set = openCacheSet(both(), options());
        await set.index();
        const found = await set.findPackage(id(ring));
        expect(found).toMatchObject({ cacheUrl: `${second.url}/cache`, signedBy: key.fingerprint });
        expect(warnings()).toMatchObject([{ code, message: expect.stringContaining("ring@1.3/") }]);
      });

      it("the next one's is taken when its signer is not trusted, and never another's word for it", async () => {
        await serveBoth(async (files) => {
          for (const [path, bytes] of await makeFiles([ring], stranger.sign)) files.set(path, bytes);
        });
        const found = await openCacheSet(both(), options()).findPackage(id(ring));
        expect(found).toMatchObject({ cacheUrl: `${second.url}/cache`, signedBy: key.fingerprint });
        expect(warnings()).toMatchObject([{ code: "KEY_UNKNOWN" }]);
        // Keys are a cache's own: what signs for the one does not sign for the other.
        const apart = [source(), source({ url: `${second.url}/cache`, keys: [stranger.file] })];
        await expect(openCacheSet(apart, options()).findPackage(id(ring))).rejects.toMatchObject({
          code: "KEY_UNKNOWN",
        });
      });

      it("a server that fails midway is replaced by the next", async () => {
        await serveBoth(() => {});
        server.faults.set(
          `/cache/${archiveOf(ring)}`,
          Array.from({ length: 9 }, () => answer(503)),
        );
        const set = openCacheSet(both(), options());
        const archive = await set.fetchArchive(await set.findPackage(id(ring)));
        expect((await readFile(archive.path)).equals(ring.archive)).toBe(true);
        expect(warnings()).toMatchObject([{ code: "NETWORK", message: expect.stringContaining(server.url) }]);
      });

      it("the first one's error is told, with what else was tried, when no copy is of use", async () => {
        const files = await makeFiles(packages, key.sign);
        serve(new Map([...files, [archiveOf(ring), flip(ring.archive)]]));
        files.delete(archiveOf(ring));
        serve(files, second);
        const set = openCacheSet(both(), options());
        const found = await set.findPackage(id(ring));
        await expect(set.fetchArchive(found)).rejects.toMatchObject({
          code: "CHECKSUM_MISMATCH",
          message: expect.stringMatching(new RegExp(`^ring@1.3/.*also tried: ${second.url}/cache: .*`)),
        });
        expect(warnings()).toEqual([]);
        // Now nobody offers it any more.
        await expect(set.findPackage(id(ring))).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
      });

      it("another archive of the package has to be planned with", async () => {
        const files = await makeFiles(packages, key.sign);
        files.delete(archiveOf(ring));
        serve(files);
        const again = { ...ring, archive: Buffer.from("built again") };
        serve(await makeFiles([again], key.sign), second);
        const set = openCacheSet(both(), options());
        const used: string[] = [];
        const archive = await withOtherCopies(async () => {
          const found = await set.findPackage(id(ring));
          used.push(found.cacheUrl);
          return set.fetchArchive(found);
        });
        expect(used).toEqual([`${server.url}/cache`, `${second.url}/cache`]);
        expect(await readFile(archive.path, "utf8")).toBe("built again");
        expect(warnings()).toMatchObject([{ code: "NOT_FOUND" }]);
      });
    },
  );

  it("what verified but will not do is passed over like what does not verify", async () => {
    serve(await cacheFiles3([zlib], key.sign));
    serve(await cacheFiles3([zlib], key.sign), second);
    const set = openCacheSet(both(), options());
    const found = await set.findPackage(asked(zlib, 5), undefined, ({ cacheUrl }) => {
      if (cacheUrl.startsWith(server.url)) throw new SpacktainersError("IDENTITY_MISMATCH", "not this one");
    });
    expect(found.cacheUrl).toBe(`${second.url}/cache`);
    expect(warnings()).toMatchObject([{ code: "IDENTITY_MISMATCH" }]);
  });

  it("work on every later day, whatever was tidied away meanwhile", async () => {
    const day = 86_400_000;
    serve(await cacheFiles3(packages, key.sign));
    serve(await cacheFiles2(packages, key.sign), second);
    for (const days of [0, 0.1, 1.1, 8, 31, 181, 366, 3660]) {
      const set = openCacheSet(both(), options({ clock: () => Date.now() + days * day }));
      expect((await set.index()).size).toBe(packages.length);
      for (const pkg of packages) {
        const archive = await set.fetchArchive(await set.findPackage(asked(pkg, 5)));
        expect((await readFile(archive.path)).equals(pkg.archive), `after ${days} days`).toBe(true);
      }
      await set.prune(1000);
      await set.close();
    }
    expect(warnings()).toEqual([]);
  });

  it("share a download store that can be bounded", async () => {
    serve(await cacheFiles3(packages, key.sign));
    const set = openCacheSet([source()], options());
    for (const pkg of packages) await set.fetchArchive(await set.findPackage(asked(pkg, 5)));
    const downloads = join(work, "home", "downloads", "sha256");
    const blobs = async () =>
      (await readdir(downloads, { recursive: true })).filter((name) => name.length > 10);
    expect(await blobs()).toHaveLength(packages.length);
    // What was just used may be in use.
    expect(await set.prune(0)).toEqual({ removed: 0, bytes: 0 });
    ageFiles(downloads, 7200);
    await set.prune(400_000);
    expect((await blobs()).length).toBeLessThan(packages.length);
  });
});
