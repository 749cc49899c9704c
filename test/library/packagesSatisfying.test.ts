import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CacheIndex } from "../../src/buildcache/types.ts";
import { openCaches, packagesSatisfying, readKeyFile } from "../../src/library/buildcache.ts";
import { choosePackages } from "../../src/library/spec.ts";

let cacheDirectory: string;
let index: CacheIndex;
beforeAll(async () => {
  cacheDirectory = mkdtempSync(join(tmpdir(), "spacktainers-satisfying-"));
  const caches = openCaches([{ url: "demo/cache", keys: [await readKeyFile("demo/cache.pub")] }], {
    cacheDirectory,
  });
  index = await caches.index();
  await caches.close();
});
afterAll(() => rmSync(cacheDirectory, { recursive: true, force: true }));

const found = (spec: string) =>
  packagesSatisfying(index, spec).map(({ name, target }) => `${name} ${target}`);

it("finds by name, by virtual package and by what is asked of a package", () => {
  expect(found("ring target=x86_64")).toEqual(["ring x86_64"]);
  expect(found("mpi")).toEqual(found("mpich"));
  expect(found("mpich").sort()).toEqual(["mpich aarch64", "mpich x86_64"]);
  expect(found("mpich~romio")).toEqual([]);
  expect(found("nosuch")).toEqual([]);
  expect(() => found("mpich@@")).toThrow(expect.objectContaining({ code: "SPEC_SYNTAX" }));
});

it("chooses packages that go together", () => {
  const { roots, packages, graph } = choosePackages(["ring", "mpich"], index);
  expect(roots.map(({ name }) => name)).toEqual(["ring", "mpich"]);
  expect(packages.map(({ name }) => name)).toEqual(["ring", "mpich", "gcc-runtime"]);
  expect(packages.every(({ hash }) => graph.has(hash))).toBe(true);
  expect(() => choosePackages(["nosuch"], index)).toThrow(expect.objectContaining({ code: "NO_SOLUTION" }));
  expect(() => choosePackages(["ring@@"], index)).toThrow(expect.objectContaining({ code: "SPEC_SYNTAX" }));
});
