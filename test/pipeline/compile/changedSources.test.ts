import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { warnOfChangedSources } from "../../../src/pipeline/compile/changedSources.ts";
import type { WorkEvent } from "../../../src/util/events.ts";

let root: string;
let sources: string;
let archive: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "spacktainers-develop-"));
  sources = join(root, "tree");
  archive = join(root, "archive");
  mkdirSync(join(sources, "src"), { recursive: true });
  mkdirSync(join(sources, ".git"));
  writeFileSync(join(sources, "src/main.c"), "int main;");
  writeFileSync(archive, "built");
  for (const path of ["src/main.c", "src", ""]) utimesSync(join(sources, path), 1000, 1000);
  utimesSync(archive, 2000, 2000);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function cached(variants: readonly (readonly [string, string])[], archiveUrl: string): CachedPackage {
  const spec = { name: "tree", version: "2.1.0", hash: "abcdefgh".repeat(4), variants: new Map(variants) };
  return { spec, built: spec, archiveUrl, cacheUrl: "/caches/built" } as unknown as CachedPackage;
}

async function warnings(pkg: CachedPackage): Promise<readonly WorkEvent[]> {
  const events: WorkEvent[] = [];
  await warnOfChangedSources([pkg], (event) => events.push(event));
  return events;
}

describe("warnOfChangedSources", () => {
  it("says nothing of what was built after its sources were changed", async () => {
    utimesSync(join(sources, ".git"), 3000, 3000);
    expect(await warnings(cached([["dev_path", sources]], archive))).toEqual([]);
  });

  it("names the package and the file that is newer", async () => {
    utimesSync(join(sources, "src/main.c"), 3000, 3000);
    expect(await warnings(cached([["dev_path", sources]], archive))).toMatchObject([
      {
        type: "warning",
        message: expect.stringContaining(`${join(sources, "src/main.c")} changed after it was built`),
        hint: expect.stringContaining("the build cache /caches/built"),
      },
    ]);
  });

  it("says nothing of packages that are not developed, come from elsewhere, or whose folder is gone", async () => {
    expect(await warnings(cached([], archive))).toEqual([]);
    expect(await warnings(cached([["dev_path", sources]], "https://cache.example.org/a"))).toEqual([]);
    expect(await warnings(cached([["dev_path", join(root, "gone")]], archive))).toEqual([]);
  });
});
