import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCacheSet } from "../../src/buildcache/cacheSet.ts";
import { withOtherCopies } from "../../src/buildcache/otherCopy.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { ageFiles } from "../support/ageFiles.ts";
import { answer, startFaultServer } from "../support/faultServer.ts";
import {
  blobPath,
  cacheFiles2,
  cacheFiles3,
  manifestPath,
  paths2,
  type TestPackage,
} from "../support/testCache.ts";
import {
  asked,
  key,
  layouts,
  mpich,
  options,
  packages,
  ring,
  second,
  serve,
  server,
  source,
  stranger,
  warnings,
  work,
  zlib,
} from "./cachesOfTests.ts";

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
          {
            code,
            message: expect.stringMatching(new RegExp(`^ring@1.3/.*using the copy in ${second.url}/cache$`)),
          },
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
