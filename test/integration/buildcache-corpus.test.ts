/** Every package of the real caches, from a directory, nginx and an S3 server: found, verified, fetched. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CacheSet, openCacheSet } from "../../src/buildcache/cacheSet.ts";
import type { CacheSource } from "../../src/buildcache/types.ts";
import { type DagHash, parseDagHash } from "../../src/spec/concrete.ts";
import { digestOf } from "../../src/util/digest.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import {
  corpusFiles,
  corpusIndex,
  corpusPath,
  corpusSource,
  hasCorpusCaches,
} from "../support/corpusCaches.ts";
import { startCuttingProxy } from "../support/cuttingProxy.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { hasNginx, type StaticServer, startNginx } from "../support/staticServer.ts";

const why = hasCorpusCaches ? "" : " (skipped: ../shared/corpus is not here)";
let home: string;
let events: WorkEvent[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spacktainers-corpus-"));
  events = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

function open(...sources: CacheSource[]): CacheSet {
  return openCacheSet(sources, { emit: (event) => events.push(event), cacheDir: home, retryDelayMs: 10 });
}

const hashOf = (text: string): DagHash => parseDagHash(text) ?? ("" as DagHash);

/** Looks up and fetches every downloadable package; what comes must be what the index of Spack says. */
async function fetchEverything(set: CacheSet, layout: 2 | 3): Promise<void> {
  const index = await set.index();
  const records = Object.entries(corpusIndex(layout)).filter(([, record]) => record.in_buildcache);
  expect(index.size).toBe(records.length);
  for (const [hash, record] of records) {
    const spec = index.spec(hashOf(hash));
    if (spec === undefined) throw new Error(`${hash} is not in the index`);
    const found = await set.findPackage(spec, (dependency) => index.spec(dependency));
    expect(found.spec).toMatchObject({ name: record.spec.name, version: record.spec.version, hash });
    expect(found.signedBy).toBe("6921B4D6557E71B0128BCE3E243031F51E12C5A4");
    expect(found).toMatchObject({ format: `v${layout}`, generation: layout === 2 ? "0.x" : "1.x" });
    const archive = await set.fetchArchive(found);
    const bytes = await readFile(archive.path);
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(found.digest);
    expect(bytes.length).toBe(archive.size);
    const prefix = await set.archivePrefix(found);
    expect(prefix).toMatch(/^\/opt\/software/);
    expect(prefix?.endsWith(`/${record.spec.name}-${record.spec.version}-${hash}`)).toBe(true);
  }
}

describe.skipIf(!hasCorpusCaches).each([2, 3] as const)(`the corpus, layout v%i${why}`, (layout) => {
  it("from a directory: every package is found, verified and used where it lies", async () => {
    await fetchEverything(open(corpusSource(layout)), layout);
    // Again, with nothing to verify anew.
    events.length = 0;
    await fetchEverything(open(corpusSource(layout)), layout);
    expect(events.filter((event) => event.type === "task-end" && event.outcome !== "reused")).toEqual([]);
  });

  it("has an index that says what JSON.parse says", async () => {
    const index = await open(corpusSource(layout)).index();
    const records = corpusIndex(layout);
    const names = new Set<string>();
    const providers = new Map<string, Set<string>>();
    for (const [hash, { spec, in_buildcache }] of Object.entries(records)) {
      expect(index.has(hashOf(hash))).toBe(in_buildcache);
      expect(index.spec(hashOf(hash))).toMatchObject({ name: spec.name, version: spec.version, hash });
      expect(index.hashesOf(spec.name)).toContain(hash);
      expect(index.hashesWithPrefix(hash.slice(0, 7))).toEqual([hash]);
      if (in_buildcache) names.add(spec.name);
      for (const { name, parameters } of spec.dependencies ?? [])
        for (const virtual of parameters.virtuals)
          providers.set(virtual, (providers.get(virtual) ?? new Set()).add(name));
    }
    expect(index.names()).toEqual([...names].sort());
    expect(providers.size).toBeGreaterThan(0);
    for (const [virtual, expected] of providers)
      expect(index.providersOf(virtual)).toEqual([...expected].sort());
  });

  it("publishes the key that signed it", async () => {
    const keys = await open(corpusSource(layout)).caches[0]?.keys();
    const fingerprint = "6921B4D6557E71B0128BCE3E243031F51E12C5A4";
    expect(keys).toMatchObject([{ fingerprint, armored: expect.stringContaining("PUBLIC KEY") }]);
  });
});

const noNginx = hasNginx() ? "" : " (skipped: nginx is not installed)";
describe.skipIf(!hasCorpusCaches || !hasNginx())(`nginx${noNginx}${why}`, () => {
  let nginx: StaticServer;
  let guarded: StaticServer;
  beforeAll(async () => {
    nginx = await startNginx(corpusPath);
    guarded = await startNginx(corpusPath, "pass word");
  });
  afterAll(async () => {
    await nginx.close();
    await guarded.close();
  });

  it.each([2, 3] as const)("serves layout v%i, and is asked nothing twice", async (layout) => {
    const url = `${nginx.url}/v${layout}`;
    await fetchEverything(open(corpusSource(layout, url)), layout);
    const before = (await nginx.log()).length;
    await fetchEverything(open(corpusSource(layout, url)), layout);
    const asked = (await nginx.log()).slice(before);
    // What is asked is whether the cache is there and its index is still the same.
    expect(asked.length).toBeLessThanOrEqual(4);
    expect(asked.join("\n")).not.toMatch(/\.spack|\.sig|manifests\/spec/);
  });

  it.each([2, 3] as const)("serves layout v%i over connections that break", async (layout) => {
    const proxy = await startCuttingProxy(nginx.url, 2_000_000);
    const set = open(corpusSource(layout, `${proxy.url}/v${layout}`));
    await fetchEverything(set, layout);
    await set.close();
    expect(proxy.cuts()).toBeGreaterThan(3);
    expect(events.some((event) => event.type === "retry")).toBe(true);
    await proxy.close();
  });

  it("lets us in with user name and password from the URL", async () => {
    const url = guarded.url.replace("http://", "http://user:pass%20word@");
    const index = await open(corpusSource(3, `${url}/v3`)).index();
    expect(index.size).toBe(9);
    await expect(open(corpusSource(3, `${guarded.url}/v3`)).index()).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
  });

  it("gives the first bytes of an archive without the rest", async () => {
    const set = open(corpusSource(2, `${nginx.url}/v2`));
    const index = await set.index();
    const spec = index.spec(index.hashesOf("python")[0] ?? ("" as DagHash));
    if (spec === undefined) throw new Error("no python");
    const found = await set.findPackage(spec);
    expect(await set.archivePrefix(found)).toContain("/python-3.11.2-");
    const last = (await nginx.log()).at(-1) ?? "";
    expect(last).toMatch(/^206 GET .*\.spack 32768 bytes=0-32767$/);
  });
});

const noS3 = hasS3Server()
  ? ""
  : " (skipped: moto is not installed; SPACKTAINERS_TEST_PYTHON may name a Python that has it)";
describe.skipIf(!hasCorpusCaches || !hasS3Server())(`S3${noS3}${why}`, () => {
  let s3: S3Server;
  const kept = { ...process.env };
  beforeAll(async () => {
    s3 = await startS3Server("bucket");
    await s3.put("bucket", "some/where/", await corpusFiles(2));
    await s3.put("bucket", "some/where/", await corpusFiles(3));
    await s3.put("bucket", "public/", await corpusFiles(3), { public: true });
    process.env.AWS_ACCESS_KEY_ID = "test";
    process.env.AWS_SECRET_ACCESS_KEY = "test";
  });
  afterAll(async () => {
    process.env = kept;
    await s3.close();
  });
  const source = (layout: 2 | 3, url = "s3://bucket/some/where", over = {}): CacheSource => ({
    ...corpusSource(layout, url),
    s3: { endpoint: s3.url, ...over },
  });

  it("holds both layouts in one place: v3 first, then v2, everything fetched", async () => {
    const set = open(source(2));
    expect(await set.caches[0]?.formats()).toEqual(["v3", "v2"]);
    const index = await set.index();
    for (const layout of [2, 3] as const)
      for (const [hash, record] of Object.entries(corpusIndex(layout))) {
        if (!record.in_buildcache) continue;
        const spec = index.spec(hashOf(hash));
        if (spec === undefined) throw new Error(`${hash} is not in the index`);
        const found = await set.findPackage(spec, (dependency) => index.spec(dependency));
        expect(found).toMatchObject({ format: `v${layout}`, generation: layout === 2 ? "0.x" : "1.x" });
        expect(digestOf(await readFile((await set.fetchArchive(found)).path))).toBe(found.digest);
        expect(await set.archivePrefix(found)).toContain(hash);
      }
    expect(events.filter((event) => event.type === "warning" || event.type === "retry")).toEqual([]);
  });

  it("is asked only whether its index changed, and knows what is not there", async () => {
    const first = await open(source(3)).index();
    const again = open(source(3));
    expect((await again.index()).size).toBe(first.size);
    await expect(
      again.findPackage({
        name: "zlib",
        version: "9",
        hash: hashOf("a".repeat(32)),
        platform: "linux",
        os: "debian12",
        target: "x86_64",
        compiler: { name: "gcc", version: "1" },
        dependencies: [],
        annotations: undefined,
      }),
    ).rejects.toMatchObject({ code: "PACKAGE_NOT_CACHED" });
  });

  it("is read over connections that break", async () => {
    const proxy = await startCuttingProxy(s3.url, 2_000_000);
    const set = open(source(3, "s3://bucket/public", { endpoint: proxy.url }));
    await fetchEverything(set, 3);
    await set.close();
    expect(proxy.cuts()).toBeGreaterThan(3);
    await proxy.close();
  });

  it("can be read without credentials", async () => {
    const set = open(source(3, "s3://bucket/public", { anonymous: true }));
    await fetchEverything(set, 3);
    await expect(
      open(source(3, "s3://bucket/some/where", { anonymous: true })).index(),
    ).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
  });

  it("says what is wrong with a bucket that is not there, or holds no cache", async () => {
    await expect(open(source(3, "s3://nothing/x")).index()).rejects.toMatchObject({
      code: "CACHE_UNAVAILABLE",
    });
    await expect(open(source(3, "s3://bucket/elsewhere")).index()).rejects.toMatchObject({
      code: "CACHE_INVALID",
    });
    const missing = source(3, "s3://bucket/some/where", { profile: "no-such-profile" });
    await expect(open(missing).index()).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });
});
