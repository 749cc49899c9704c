import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCacheSet } from "../../src/buildcache/cacheSet.ts";
import { readConfiguration } from "../../src/definitions/configuration.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";
import { SpacktainersErrors } from "../../src/util/errors.ts";
import { ignoreEvents, type WorkEvent } from "../../src/util/events.ts";
import { cacheFiles2, cacheFiles3, nodeOf, testPackage, writeCache } from "../support/testCache.ts";

const work = mkdtempSync(join(tmpdir(), "spacktainers-set-"));
afterAll(() => rmSync(work, { recursive: true }));

const open = (...folders: readonly string[]) =>
  openCacheSet(
    folders.map((folder) => ({ url: join(work, folder), keys: [], unsigned: true })),
    { cacheDir: join(work, "home"), emit: ignoreEvents },
  );

describe("nothing to choose from", () => {
  it("is said where no cache is configured, with the lines to write", async () => {
    const error = await open()
      .index()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: "no build cache is configured, so there are no packages to choose from",
      hint: expect.stringContaining("--cache URL --trust KEYFILE"),
    });
    const { example } = error as { readonly example: readonly string[] };
    expect(example).toHaveLength(2);
    // They are right as they stand.
    const { configuration, problems } = readConfiguration(
      `${example.join("\n")}\n`,
      join(work, "spacktainers.yaml"),
    );
    expect(problems.errors).toEqual([]);
    expect(configuration?.caches).toMatchObject([{ url: "s3://my-build-cache", unsigned: false }]);
  });

  it.each([
    ["v2", cacheFiles2],
    ["v3", cacheFiles3],
  ] as const)("is said of a cache that is empty: %s", async (name, files) => {
    await writeCache(join(work, name), await files([]));
    await expect(open(name).index()).rejects.toMatchObject({
      code: "NO_SOLUTION",
      message: `there are no packages in the build cache ${join(work, name)}`,
      hint: expect.stringContaining("spacktainers cache index"),
    });
  });

  it("is said of several that are empty or cannot be read, but not when one of them has a package", async () => {
    await writeCache(join(work, "none"), await cacheFiles3([]));
    await expect(open("none", "none").index()).rejects.toThrow("no packages in any of the build caches");
    await expect(open("none", "gone").index()).rejects.toThrow(
      "the build caches that could be read have no packages",
    );
    await writeCache(join(work, "one"), await cacheFiles3([testPackage("zlib", 1)]));
    expect((await open("none", "gone", "one").index()).names()).toEqual(["zlib"]);
  });

  it("is said of every cache where none can be read", async () => {
    const error = await open("gone", "lost")
      .index()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SpacktainersErrors);
    expect((error as SpacktainersErrors).errors).toMatchObject([
      { code: "CACHE_UNAVAILABLE", place: { file: join(work, "gone") } },
      { code: "CACHE_UNAVAILABLE", place: { file: join(work, "lost") } },
    ]);
    await expect(open("gone").index()).rejects.toMatchObject({ code: "CACHE_UNAVAILABLE" });
  });
});

describe("a cache that is asked by hash only", () => {
  it("is found in, but not chosen from, and need not have an index", async () => {
    const [chosen, built] = [testPackage("zlib", 1), testPackage("ring", 2)];
    await writeCache(join(work, "indexed"), await cacheFiles3([chosen]));
    const files = await cacheFiles3([built]);
    files.delete("v3/manifests/index/index.manifest.json");
    await writeCache(join(work, "built"), files);
    const events: WorkEvent[] = [];
    const caches = openCacheSet(
      [
        { url: join(work, "indexed"), keys: [], unsigned: true },
        { url: join(work, "built"), keys: [], unsigned: true, hashOnly: true },
      ],
      { cacheDir: join(work, "home-built"), emit: (event) => events.push(event) },
    );
    expect((await caches.index()).names()).toEqual(["zlib"]);
    const spec = readNode(nodeOf(built, 5), { specfileVersion: 5, place: {} });
    expect((await caches.findPackage(spec)).spec.name).toBe("ring");
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
    const alone = openCacheSet([{ url: join(work, "built"), keys: [], unsigned: true, hashOnly: true }], {
      cacheDir: join(work, "home-built"),
      emit: ignoreEvents,
    });
    await expect(alone.index()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
