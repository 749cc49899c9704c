import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCacheSet } from "../../src/buildcache/cacheSet.ts";
import type { CacheIndex } from "../../src/buildcache/types.ts";
import { addToMirror, writeMirrorIndex } from "../../src/spack/packageMirror.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../src/spec/concrete.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { graphOf, hashOf } from "../spec/graph.ts";
import { corpusIndex, corpusSource, hasCorpusCaches } from "../support/corpusCaches.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-mirror-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const place = (): string => {
  count++;
  return join(folder, String(count));
};
const open = (url: string) =>
  openCacheSet([{ url, keys: [], unsigned: true }], { emit: ignoreEvents, cacheDir: place() });

/** An index of a graph, of which some specs cannot be downloaded. */
function indexOf(graph: SpecGraph, missing: readonly string[] = []): CacheIndex {
  const cached = [...graph.values()].filter(
    ({ name, external }) => external === undefined && !missing.includes(name),
  );
  const hashes = new Set(cached.map(({ hash }) => hash));
  return {
    generation: "1.x",
    size: cached.length,
    has: (hash) => hashes.has(hash),
    hashesOf: (name) => [...graph.values()].flatMap((spec) => (spec.name === name ? spec.hash : [])),
    names: () => [...new Set(cached.map(({ name }) => name))].sort(),
    providersOf: () => [],
    hashesWithPrefix: () => [],
    spec: (hash) => graph.get(hash),
  };
}

describe("writeMirrorIndex", () => {
  const graph = graphOf([
    {
      name: "app",
      dependencies: [
        ["lib", ["link"]],
        ["cmake", ["build"]],
        ["gcc", ["build"], ["c"]],
      ],
    },
    { name: "lib", dependencies: [["gcc", ["build"]]] },
    { name: "broken", dependencies: [["gone", ["run"]]] },
    { name: "gone" },
    { name: "cmake" },
    { name: "gcc", rest: { external: { path: "/usr", module: null } } },
  ]);
  const without = (...names: string[]): SpecGraph =>
    new Map([...graph].filter(([, { name }]) => !names.includes(name)));

  it("writes an index that can be read, with everything that what is in it needs", async () => {
    const mirror = place();
    expect(await writeMirrorIndex(mirror, indexOf(without("gone", "broken"), ["cmake"]), "1.x")).toBe(2);
    const index = await open(mirror).index();
    expect(index.names()).toEqual(["app", "lib"]);
    expect(index.has(hashOf("cmake"))).toBe(false);
    const app = index.spec(hashOf("app"));
    expect(app?.dependencies.map(({ name }) => name).sort()).toEqual(["cmake", "gcc", "lib"]);
    expect(index.spec(hashOf("gcc"))?.external?.path).toBe("/usr");
    expect(readdirSync(mirror).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("leaves out what was only needed to build and is not known, and what cannot run without what is not known", async () => {
    const mirror = place();
    expect(await writeMirrorIndex(mirror, indexOf(without("gone", "cmake")), "1.x")).toBe(2);
    const index = await open(mirror).index();
    expect(index.names()).toEqual(["app", "lib"]);
    expect(
      index
        .spec(hashOf("app"))
        ?.dependencies.map(({ name }) => name)
        .sort(),
    ).toEqual(["gcc", "lib"]);
  });

  it("can be stopped, and leaves nothing then", async () => {
    const abort = new AbortController();
    abort.abort();
    const mirror = place();
    await expect(writeMirrorIndex(mirror, indexOf(graph), "1.x", abort.signal)).rejects.toMatchObject({
      code: "INTERRUPTED",
    });
    expect(readdirSync(mirror)).toEqual([]);
  });
});

describe.skipIf(!hasCorpusCaches)("a mirror of real caches (needs the corpus)", () => {
  for (const [layout, dialect] of [
    [2, "0.x"],
    [3, "1.x"],
    [2, "1.x"],
  ] as const)
    it(`has what the cache of layout ${layout} has, for Spack ${dialect}`, async () => {
      const caches = openCacheSet([corpusSource(layout)], { emit: ignoreEvents, cacheDir: place() });
      const index = await caches.index();
      const mirror = place();
      await writeMirrorIndex(mirror, index, dialect);
      const copy = await open(mirror).index();
      expect(copy.names()).toEqual(index.names());
      const written = Object.entries(corpusIndex(layout)).filter(([, record]) => record.in_buildcache);
      for (const [hash] of written) {
        const [before, after] = [index.spec(hash as DagHash), copy.spec(hash as DagHash)];
        expect(comparable(after)).toEqual(comparable(before));
      }
    });

  it("gives Spack the packages, with the archives where they are", async () => {
    const caches = openCacheSet([corpusSource(3)], { emit: ignoreEvents, cacheDir: place() });
    const index = await caches.index();
    const specs = ["ring", "zlib"].map(
      (name) => index.spec(index.hashesOf(name)[0] as DagHash) as ConcreteSpec,
    );
    const packages = await Promise.all(
      specs.map(async (spec) => {
        const cached = await caches.findPackage(spec, (hash) => index.spec(hash));
        return { cached, archive: (await caches.fetchArchive(cached)).path };
      }),
    );
    const mirror = place();
    await addToMirror(mirror, packages, "1.x");
    await addToMirror(mirror, packages, "1.x");
    const there = open(mirror);
    for (const { cached, archive } of packages) {
      const found = await there.findPackage(cached.spec);
      expect(found.digest).toBe(cached.digest);
      expect(found.signedBy).toBeUndefined();
      const fetched = await there.fetchArchive(found);
      expect(readFileSync(fetched.path).equals(readFileSync(archive))).toBe(true);
    }
  });

  it("writes packages for Spack 0.x in its layout", async () => {
    const caches = openCacheSet([corpusSource(2)], { emit: ignoreEvents, cacheDir: place() });
    const index = await caches.index();
    const spec = index.spec(index.hashesOf("zlib")[0] as DagHash) as ConcreteSpec;
    const cached = await caches.findPackage(spec);
    const mirror = place();
    await addToMirror(mirror, [{ cached, archive: (await caches.fetchArchive(cached)).path }], "0.x");
    const found = await open(mirror).findPackage(spec);
    expect([found.digest, found.format]).toEqual([cached.digest, "v2"]);
  });
});

/** What Spack goes by when it decides whether to reuse a spec. */
function comparable(spec: ConcreteSpec | undefined) {
  if (spec === undefined) return undefined;
  const { name, version, hash, os, target, variants, flags, dependencies } = spec;
  return {
    ...{ name, version, hash, os, target },
    variants: [...variants].sort(([a], [b]) => (a < b ? -1 : 1)),
    flags: [...flags].filter(([, values]) => values.length > 0),
    dependencies: dependencies.map((edge) => [edge.hash, [...edge.types].sort(), edge.virtuals]).sort(),
  };
}
