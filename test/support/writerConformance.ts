/** What writing into a build cache must do, whatever its format and place. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBuildCache } from "../../src/buildcache/buildCache.ts";
import { openCacheWriter, type WriterSettings } from "../../src/buildcache/formats/openWriter.ts";
import type { CacheWriter, NewPackage, StoredPackage } from "../../src/buildcache/formats/writer.ts";
import type { CacheSource, FormatName } from "../../src/buildcache/types.ts";
import type { Signer } from "../../src/openpgp/signer.ts";
import { signerFrom } from "../../src/openpgp/signer.ts";
import { readSpecFile } from "../../src/spec/readSpecfile.ts";
import { digestOf } from "../../src/util/digest.ts";
import { ignoreEvents, type WorkEvent } from "../../src/util/events.ts";
import { makeKey, type TestKey } from "./signingKey.ts";
import { syntheticHash } from "./syntheticIndex.ts";
import { nodeOf, testPackage } from "./testCache.ts";

/** A place for a cache, empty. */
export interface TriedPlace {
  readonly source: Pick<CacheSource, "url" | "s3">;
  /** Removes the file that a format names so, behind the writer's back; undefined where that cannot be done. */
  readonly damage?: ((path: string) => Promise<void>) | undefined;
}

/** What kinds of caches differ in. */
export interface WriterTraits {
  readonly format: FormatName;
  /** Nothing in it is signed. */
  readonly unsigned: boolean;
}

/** Packages of one test, as others make them. */
export interface WrittenPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly content: NewPackage;
}

/** A package with an archive of its own, and dependencies that may not be in any cache. */
export async function newPackage(
  folder: string,
  format: FormatName,
  number: number,
  needs: readonly number[] = [],
): Promise<WrittenPackage> {
  const version = format === "v2" ? 4 : 5;
  const node = (at: number, edges: readonly number[]): Record<string, unknown> => {
    const { hash, ...rest } = nodeOf(testPackage(`part${at}`, at), version);
    const dependencies = edges.map((other) => ({
      name: `part${other}`,
      hash: syntheticHash(other),
      parameters: { deptypes: ["build", "link"], virtuals: [] },
    }));
    return { ...rest, ...(edges.length === 0 ? {} : { dependencies }), hash };
  };
  const nodes = [node(number, needs), ...needs.map((other) => node(other, []))];
  const specFile = JSON.stringify({ spec: { _meta: { version }, nodes } });
  // Gzip in form, so that whoever looks at the beginning finds an archive.
  const { gzipSync } = await import("node:zlib");
  const bytes = gzipSync(createHash("sha256").update(`archive ${number}`).digest());
  const path = join(folder, `${number}-${randomBytes(4).toString("hex")}.tar.gz`);
  await writeFile(path, bytes);
  const archive = { path, digest: digestOf(bytes), size: bytes.length };
  return {
    name: `part${number}`,
    version: `1.${number}`,
    hash: syntheticHash(number),
    content: { specFile, specBlob: undefined, archive },
  };
}

/** Tries a kind of cache. @param open an empty place, each time another one */
export function describeCacheWriter(
  name: string,
  traits: WriterTraits,
  open: () => Promise<TriedPlace>,
): void {
  describe(name, () => {
    const { format, unsigned } = traits;
    let scratch: string;
    let key: TestKey;
    let signer: Signer;
    let place: TriedPlace;
    let source: CacheSource;
    const opened: { close(): Promise<void> }[] = [];
    const events: WorkEvent[] = [];

    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), "spacktainers-writer-"));
      key = await makeKey();
      signer = await signerFrom(Buffer.from(key.privateKey.armor()), { file: "key" }, async () => undefined);
    });
    afterAll(() => rm(scratch, { recursive: true, force: true }));
    beforeEach(async () => {
      place = await open();
      source = { ...place.source, keys: unsigned ? [] : [key.file], unsigned };
      events.length = 0;
    });
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
    });

    const settings = (): WriterSettings => ({ signer: unsigned ? undefined : signer });
    const writer = (): CacheWriter => {
      const made = openCacheWriter(source, settings(), {
        emit: (event) => events.push(event),
        cacheDir: join(scratch, "cache"),
        retryDelayMs: 1,
      });
      opened.push(made);
      return made;
    };
    const reader = (cacheDir = join(scratch, `reader-${randomBytes(4).toString("hex")}`)) => {
      const made = openBuildCache(source, {
        emit: ignoreEvents,
        cacheDir,
        retryDelayMs: 1,
      });
      opened.push(made);
      return made;
    };
    const make = (number: number, needs?: readonly number[]) => newPackage(scratch, format, number, needs);
    const specOf = ({ content }: WrittenPackage) => readSpecFile(JSON.parse(content.specFile), {}).root;
    const listed = async (): Promise<readonly string[]> => {
      const [index] = await reader().indexes();
      return index === undefined
        ? []
        : index.names().flatMap((one) => index.hashesOf(one).filter((hash) => index.has(hash)));
    };
    const stored = async (from: CacheWriter): Promise<readonly StoredPackage[]> => {
      const all: StoredPackage[] = [];
      for await (const one of from.list()) all.push(one);
      return all;
    };

    it("tries whether it can write, and writes nothing", async () => {
      const to = writer();
      await to.expectWritable();
      expect(await stored(to)).toEqual([]);
    });

    it("gives what was put, verified, and lists it once the index says so", async () => {
      const one = await make(1, [2]);
      const to = writer();
      expect(await to.put(one.content)).toEqual({ outcome: "written", format });
      const read = reader();
      const found = await read.findPackage(specOf(one));
      expect(found?.digest).toBe(one.content.archive.digest);
      expect(found?.signedBy).toBe(unsigned ? undefined : key.fingerprint);
      expect([...(found?.graph.keys() ?? [])]).toEqual([syntheticHash(1), syntheticHash(2)]);
      if (found === undefined) throw new Error("not found");
      expect((await read.fetchArchive(found)).digest).toBe(one.content.archive.digest);
      const update = await to.updateIndex({ add: [one.content.specFile], remove: [] });
      expect(update.indexes).toEqual([{ format, packages: 1, added: 1, removed: 0 }]);
      expect(await listed()).toEqual([one.hash]);
      const [index] = await reader().indexes();
      // What it needs is known, but cannot be had.
      expect(index?.hashesOf("part2")).toEqual([syntheticHash(2)]);
    });

    it("leaves a good copy as it is, and replaces it when asked to", async () => {
      const [one, other] = [await make(1), await make(1)];
      const different = { ...other.content, archive: (await make(2)).content.archive };
      const to = writer();
      await to.put(one.content);
      expect((await to.put(different)).outcome).toBe("present");
      // On the writer's own machine, too, which has the archive and remembers what it is of.
      const near = join(scratch, "cache");
      for (const read of [reader(), reader(near)]) {
        const found = await read.findPackage(specOf(one));
        expect(found?.digest).toBe(one.content.archive.digest);
        if (found !== undefined) await read.fetchArchive(found);
      }
      expect((await to.put(different, { replace: true })).outcome).toBe("written");
      for (const read of [reader(), reader(near)])
        expect((await read.findPackage(specOf(one)))?.digest).toBe(different.archive.digest);
    });

    it("refuses an archive that is not what is said, and writes nothing", async () => {
      const one = await make(1);
      const wrong = { ...one.content, archive: { ...one.content.archive, digest: digestOf("another") } };
      await expect(writer().put(wrong)).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
      expect(await stored(writer())).toEqual([]);
    });

    it("makes an index of all that is there where there is none, and again when asked", async () => {
      const to = writer();
      const packages = await Promise.all([1, 2, 3].map((number) => make(number)));
      for (const { content } of packages) await to.put(content);
      const [last] = packages;
      if (last === undefined) throw new Error("no package");
      const update = await to.updateIndex({ add: [last.content.specFile], remove: [] });
      expect(update.indexes).toMatchObject([{ packages: 3 }]);
      expect((await listed()).toSorted()).toEqual(packages.map(({ hash }) => hash).toSorted());
      expect((await to.rebuildIndex()).indexes).toMatchObject([{ packages: 3 }]);
      expect((await listed()).toSorted()).toEqual(packages.map(({ hash }) => hash).toSorted());
    });

    it("removes packages from the index, and from the cache", async () => {
      const to = writer();
      const [needed, user] = [await make(2), await make(1, [2])];
      for (const { content } of [needed, user]) {
        await to.put(content);
        await to.updateIndex({ add: [content.specFile], remove: [] });
      }
      const all = await stored(to);
      expect(all.map(({ hash }) => hash).toSorted()).toEqual([needed.hash, user.hash].toSorted());
      const described = await to.describe(all.find(({ hash }) => hash === user.hash) as StoredPackage);
      expect(described).toMatchObject({
        spec: { name: "part1" },
        archive: { digest: user.content.archive.digest },
      });
      await to.remove(all.filter(({ hash }) => hash === needed.hash));
      expect(await listed()).toEqual([user.hash]);
      const [index] = await reader().indexes();
      // It is still known as what the other one needs.
      expect(index?.hashesOf("part2")).toEqual([needed.hash]);
      expect((await stored(to)).map(({ hash }) => hash)).toEqual([user.hash]);
      expect(await reader().findPackage(specOf(needed))).toBeUndefined();
      // Twice is no error, and what nobody needs is forgotten.
      await to.remove(all);
      expect(await listed()).toEqual([]);
      const [empty] = await reader().indexes();
      expect(empty?.hashesOf("part2") ?? []).toEqual([]);
    });

    it("loses nothing when several write at once", async () => {
      const rounds = 3;
      const hashes: string[] = [];
      for (let round = 0; round < rounds; round++) {
        const groups = await Promise.all(
          [0, 1, 2].map(async (who) =>
            Promise.all([0, 1].map((at) => make(100 + round * 10 + who * 2 + at, [99]))),
          ),
        );
        await Promise.all(
          groups.map(async (group) => {
            const to = writer();
            for (const { content } of group) {
              await to.put(content);
              await to.updateIndex({ add: [content.specFile], remove: [] });
            }
          }),
        );
        hashes.push(...groups.flat().map(({ hash }) => hash));
        expect((await listed()).toSorted()).toEqual(hashes.toSorted());
      }
    });

    it("ends up with one good copy when several put the same package at once", async () => {
      const copies = await Promise.all([7, 8, 9].map(async (number) => (await make(number)).content.archive));
      const one = await make(1);
      await Promise.all(copies.map((archive) => writer().put({ ...one.content, archive })));
      const read = reader();
      const found = await read.findPackage(specOf(one));
      if (found === undefined) throw new Error("not found");
      expect(copies.map(({ digest }) => digest)).toContain(found.digest);
      expect((await read.fetchArchive(found)).digest).toBe(found.digest);
    });

    it("repairs a package whose archive is gone", async () => {
      const { damage } = place;
      if (damage === undefined) return;
      const one = await make(1);
      const to = writer();
      await to.put(one.content);
      const [there] = await stored(to);
      if (there === undefined) throw new Error("nothing is there");
      await damage((await to.describe(there)).archive.path);
      expect((await to.put(one.content)).outcome).toBe("written");
      const read = reader();
      const found = await read.findPackage(specOf(one));
      expect(found === undefined ? undefined : (await read.fetchArchive(found)).digest).toBe(
        one.content.archive.digest,
      );
    });

    it("refuses external packages", async () => {
      const one = await make(1);
      const json = JSON.parse(one.content.specFile);
      json.spec.nodes[0].external = { path: "/usr", module: null, extra_attributes: {} };
      await expect(writer().put({ ...one.content, specFile: JSON.stringify(json) })).rejects.toMatchObject({
        code: "NOT_SUPPORTED",
      });
    });

    if (format === "oci") return;

    it("publishes keys, and takes them back", async () => {
      const to = writer();
      const published = { fingerprint: key.fingerprint, armored: key.armored };
      expect(await to.putKey(published)).toBe("written");
      expect(await to.putKey(published)).toBe("present");
      expect(await reader().keys()).toEqual([published]);
      await to.removeKey(key.fingerprint);
      expect(await reader().keys()).toEqual([]);
    });

    it.skipIf(unsigned)("signs with no key that its own readers refuse", async () => {
      const stranger = await makeKey();
      const wrong = await signerFrom(Buffer.from(stranger.privateKey.armor()), {}, async () => undefined);
      const to = openCacheWriter(source, { signer: wrong }, { emit: ignoreEvents, cacheDir: scratch });
      opened.push(to);
      await expect(to.put((await make(1)).content)).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
      expect(await stored(to)).toEqual([]);
      expect(() => openCacheWriter(source, { signer: undefined }, { emit: ignoreEvents })).toThrow(/signed/);
    });

    it("finds what killed pushes left, and removes only what nothing names", async () => {
      const to = writer();
      const [kept, gone] = [await make(1), await make(2)];
      for (const { content } of [kept, gone]) await to.put(content);
      const orphansOf = async () => {
        const all = [];
        for await (const orphan of to.orphans()) all.push(orphan);
        return all;
      };
      expect(await orphansOf()).toEqual([]);
      const there = (await stored(to)).find(({ hash }) => hash === gone.hash);
      await place.damage?.(there?.path ?? "");
      const orphans = await orphansOf();
      expect(orphans.length).toBeGreaterThan(0);
      expect(orphans.every(({ size = 0 }) => size > 0)).toBe(true);
      // What somebody needs by now stays.
      await to.put(gone.content);
      await to.removeOrphans(orphans);
      expect((await reader().findPackage(specOf(gone)))?.digest).toBe(gone.content.archive.digest);
      expect((await reader().findPackage(specOf(kept)))?.digest).toBe(kept.content.archive.digest);
    });
  });
}
