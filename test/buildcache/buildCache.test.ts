import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/util/digest.ts";
import { answer, resetAfter, startFaultServer } from "../support/faultServer.ts";
import { extended, keyFile, makeKey, revocationOf, revoked } from "../support/signingKey.ts";
import {
  blobPath,
  cacheFiles2,
  cacheFiles3,
  manifestPath,
  paths2,
  type TestPackage,
  testPackage,
} from "../support/testCache.ts";
import {
  asked,
  key,
  layouts,
  mpich,
  open,
  packages,
  ring,
  serve,
  server,
  stranger,
  work,
  zlib,
} from "./cachesOfTests.ts";

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
