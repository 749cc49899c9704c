/** Packages of real Spack's caches, written into other ones: what is the same stays the same to the last byte. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildCache, openBuildCache } from "../../src/buildcache/buildCache.ts";
import { openCacheWriter } from "../../src/buildcache/formats/openWriter.ts";
import type { CacheSource, FormatName } from "../../src/buildcache/types.ts";
import { parseCleartext } from "../../src/openpgp/cleartext.ts";
import { type Signer, signerFrom } from "../../src/openpgp/signer.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { digestOf } from "../../src/util/digest.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { corpusPath, corpusSource, hasCorpusCaches } from "../support/corpusCaches.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-copies-"));
let key: TestKey;
let signer: Signer;
let registry: RealRegistry | undefined;
const opened: BuildCache[] = [];

beforeAll(async () => {
  key = await makeKey();
  signer = await signerFrom(Buffer.from(key.privateKey.armor()), {}, async () => undefined);
  if (hasCorpusCaches && dockerRegistryTrouble() === undefined)
    registry = await startDockerRegistry({ data: join(corpusPath, "oci") });
});
afterAll(async () => {
  for (const cache of opened) await cache.close();
  await registry?.close();
  rmSync(root, { recursive: true, force: true });
});

const open = (source: CacheSource): BuildCache => {
  const cache = openBuildCache(source, { emit: ignoreEvents, cacheDir: join(root, "cache") });
  opened.push(cache);
  return cache;
};

/** All specs that a cache has, by its index. */
async function specsIn(cache: BuildCache): Promise<readonly ConcreteSpec[]> {
  const [index] = await cache.indexes();
  if (index === undefined) throw new Error("there is no index");
  const hashes = index.names().flatMap((name) => index.hashesOf(name).filter((hash) => index.has(hash)));
  return hashes.flatMap((hash) => index.spec(hash) ?? []);
}

/** Copies everything. */
async function copy(
  from: CacheSource,
  to: CacheSource,
  layout?: Exclude<FormatName, "oci">,
): Promise<number> {
  const cache = open(from);
  const writer = openCacheWriter(
    to,
    { signer: to.unsigned ? undefined : signer, layout },
    { emit: ignoreEvents, cacheDir: join(root, "cache") },
  );
  const specFiles: string[] = [];
  const specs = await specsIn(cache);
  const [index] = await cache.indexes();
  for (const spec of specs) {
    const found = await cache.findPackage(spec, (hash) => index?.spec(hash));
    if (found === undefined) throw new Error(`${spec.name} is not there`);
    const content = await cache.contentOf(found);
    expect((await writer.put(content)).outcome).toBe("written");
    specFiles.push(content.specFile);
  }
  const update = await writer.updateIndex({ add: specFiles, remove: [] });
  expect(update.indexes).toMatchObject([{ packages: specs.length }]);
  await writer.close();
  return specs.length;
}

const signedPlace = (name: string): CacheSource => ({
  url: join(root, name),
  keys: [key.file],
  unsigned: false,
});

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const cleartext = (path: string): string => parseCleartext(readFileSync(path, "utf8"), { file: path }).text;

describe.skipIf(!hasCorpusCaches)("packages of real Spack (skipped where the corpus is not there)", () => {
  it("are the same in another cache of layout v3 as Spack pushed them", async () => {
    await copy(corpusSource(3), signedPlace("v3"));
    const [old, copied] = [join(corpusPath, "v3"), join(root, "v3")];
    const manifests = await filesBelow(join(old, "v3/manifests/spec"));
    expect(await filesBelow(join(copied, "v3/manifests/spec"))).toEqual(manifests);
    for (const path of manifests) {
      const text = cleartext(join(copied, "v3/manifests/spec", path));
      expect(text).toBe(cleartext(join(old, "v3/manifests/spec", path)));
      for (const { checksum } of JSON.parse(text).data)
        expect(digestOf(readFileSync(join(copied, `blobs/sha256/${checksum.slice(0, 2)}/${checksum}`)))).toBe(
          `sha256:${checksum}`,
        );
    }
    expect(readFileSync(join(copied, "v3/layout.json"), "utf8")).toBe(
      readFileSync(join(old, "v3/layout.json"), "utf8"),
    );
  });

  it("are the same in another cache of layout v2 as Spack pushed them", async () => {
    await copy(corpusSource(2), signedPlace("v2"));
    const [old, copied] = [join(corpusPath, "v2/build_cache"), join(root, "v2/build_cache")];
    const signed = (await filesBelow(old)).filter((path) => path.endsWith(".sig"));
    expect((await filesBelow(copied)).filter((path) => path.endsWith(".sig"))).toEqual(signed);
    for (const path of signed) expect(cleartext(join(copied, path))).toBe(cleartext(join(old, path)));
    const archives = (await filesBelow(old)).filter((path) => path.endsWith(".spack"));
    for (const path of archives)
      expect(digestOf(readFileSync(join(copied, path)))).toBe(digestOf(readFileSync(join(old, path))));
  });

  it("of Spack 0.23 can be kept in layout v3, with their hashes, and those of 1.1 not in v2", async () => {
    await copy(corpusSource(2), signedPlace("converted"), "v3");
    const [before, after] = [open(corpusSource(2)), open(signedPlace("converted"))];
    const specs = await specsIn(before);
    expect((await specsIn(after)).map(({ hash }) => hash)).toEqual(specs.map(({ hash }) => hash));
    for (const spec of specs) {
      const found = await after.findPackage(spec);
      expect(found?.spec.annotations).toEqual({
        originalSpecfileVersion: 4,
        compiler: `${spec.compiler?.name}@=${spec.compiler?.version}`,
      });
      expect(found?.generation).toBe("0.x");
      expect(found?.spec.variants).toEqual(spec.variants);
    }
    await expect(copy(corpusSource(3), signedPlace("wrong"), "v2")).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
    expect(existsSync(join(root, "wrong"))).toBe(false);
  });

  it.skipIf(dockerRegistryTrouble() !== undefined)(
    "are read from a registry, and have the same layers where we push them (skipped without docker-registry)",
    async () => {
      const host = registry?.host ?? "";
      const theirs = { url: `oci+http://${host}/cache/c`, keys: [], unsigned: true };
      const ours = { url: `oci+http://${host}/cache/ours`, keys: [], unsigned: true };
      const [cache, folder] = [open(theirs), open(corpusSource(3))];
      expect(await cache.formats()).toEqual(["oci"]);
      const specs = await specsIn(cache);
      // All but one were pushed there, too.
      const hashes = (await specsIn(folder)).map(({ hash }) => hash);
      expect(specs.length).toBe(hashes.length - 1);
      expect(hashes).toEqual(expect.arrayContaining(specs.map(({ hash }) => hash)));
      await copy(theirs, ours);
      const copied = open(ours);
      for (const spec of specs) {
        const [a, b] = [await cache.findPackage(spec), await copied.findPackage(spec)];
        expect(b?.digest).toBe(a?.digest);
        expect(b?.size).toBe(a?.size);
        expect([...(b?.graph.keys() ?? [])]).toEqual([...(a?.graph.keys() ?? [])]);
        if (a !== undefined) expect(await cache.archivePrefix(a)).toMatch(new RegExp(`-${spec.hash}$`));
      }
      // And back into files: what was signed nowhere is signed by us.
      await copy(theirs, signedPlace("from registry"));
      expect((await specsIn(open(signedPlace("from registry")))).length).toBe(specs.length);
      // Without being told that nothing is signed there, nothing is used.
      const [first] = specs;
      const strict = open({ ...theirs, unsigned: false });
      if (first !== undefined)
        await expect(strict.findPackage(first)).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    },
  );
});
