import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { packagePaths } from "../../../src/buildcache/formats/v2/paths.ts";
import { manifestPath } from "../../../src/buildcache/formats/v3/paths.ts";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { findOutdated, warnOfChangedSources } from "../../../src/pipeline/compile/changedSources.ts";
import { builtCaches } from "../../../src/spack/folders.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { graphOf, hashOf } from "../../spec/graph.ts";

const trust = "nobody";
const root = mkdtempSync(join(tmpdir(), "spacktainers-develop-"));
const sources = join(root, "tool");
const main = join(sources, "src/main.c");
let round = 0;

/** Gives a file or folder a time, in seconds since 1970. */
const at = (time: number, path: string): void => utimesSync(path, time, time);
beforeAll(() => {
  mkdirSync(join(sources, "src"), { recursive: true });
  mkdirSync(join(sources, ".git"));
  writeFileSync(main, "int main;");
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  vi.stubEnv("XDG_CACHE_HOME", join(root, `home${round++}`));
  for (const path of [main, dirname(main), sources]) at(1000, path);
});

const nodes = (version: number) =>
  graphOf(
    [
      { name: "app", dependencies: [["lib", ["link"]]] },
      { name: "lib", dependencies: [["tool", ["build"]]] },
      { name: "tool", rest: { parameters: { dev_path: sources } } },
      { name: "zlib" },
    ],
    version,
  );
const graph = nodes(5);

/** Notes that a package was built here at a time. */
function built(name: string, time: number, version = 5): void {
  const spec = nodes(version).get(hashOf(name));
  if (spec === undefined) throw new Error(`no ${name}`);
  const { "0.x": older, "1.x": newer } = builtCaches(trust);
  const [paths] = packagePaths(spec, () => undefined);
  const file = version < 5 ? join(older, paths?.unsigned ?? "") : join(newer, manifestPath(spec));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "{}");
  at(time, file);
}
const outdated = async (version = 5): Promise<Record<string, string>> => {
  const known = nodes(version);
  return Object.fromEntries(
    [...(await findOutdated(known, trust))].map(([hash, newer]) => [known.get(hash)?.name ?? hash, newer]),
  );
};

describe("findOutdated", () => {
  it("finds nothing that was built after its sources were changed, or not at all", async () => {
    expect(await outdated()).toEqual({});
    built("tool", 2000);
    built("lib", 2001);
    built("app", 2002);
    at(3000, join(sources, ".git"));
    expect(await outdated()).toEqual({});
  });

  it("finds a package with a newer file, and what was built with it, but nothing else", async () => {
    for (const [time, name] of ["tool", "lib", "app", "zlib"].entries()) built(name, 2000 + time);
    at(3000, main);
    expect(await outdated()).toEqual({ tool: main, lib: "tool@1.0/toolaaa", app: "lib@1.0/libaaaa" });
  });

  it("finds what was built with an earlier build: the run that built the other again was killed", async () => {
    built("lib", 2001);
    built("app", 2002);
    built("tool", 3000);
    expect(await outdated()).toEqual({ lib: "tool@1.0/toolaaa", app: "lib@1.0/libaaaa" });
    built("lib", 3001);
    expect(await outdated()).toEqual({ app: "lib@1.0/libaaaa" });
    built("app", 3002);
    expect(await outdated()).toEqual({});
  });

  it("knows builds of Spack 0.23, too", async () => {
    built("tool", 2000, 4);
    at(3000, main);
    expect(await outdated(4)).toEqual({ tool: main });
  });

  it("does not build again because a folder is gone", async () => {
    const gone = graphOf([{ name: "tool", rest: { parameters: { dev_path: join(root, "gone") } } }]);
    built("tool", 2000);
    expect((await findOutdated(gone, trust)).size).toBe(0);
  });
});

describe("warnOfChangedSources", () => {
  const archive = join(root, "archive");
  const warnings = async (name: string, archiveUrl: string): Promise<readonly WorkEvent[]> => {
    const spec = graph.get(hashOf(name));
    const pkg = {
      spec,
      built: spec,
      graph,
      archiveUrl,
      cacheUrl: "/caches/ours",
    } as unknown as CachedPackage;
    const events: WorkEvent[] = [];
    await warnOfChangedSources([pkg], trust, (event) => events.push(event));
    return events;
  };
  beforeAll(() => {
    writeFileSync(archive, "built");
    at(2000, archive);
  });

  it("names a package that others built before a file was changed", async () => {
    expect(await warnings("tool", archive)).toEqual([]);
    at(3000, main);
    expect(await warnings("tool", archive)).toMatchObject([
      {
        type: "warning",
        message: expect.stringContaining(`${main} changed after it was built`),
        hint: expect.stringContaining("the build cache /caches/ours"),
      },
    ]);
  });

  it("says nothing of packages that are not developed, come from elsewhere, or were built here", async () => {
    at(3000, main);
    expect(await warnings("zlib", archive)).toEqual([]);
    expect(await warnings("tool", "https://cache.example.org/a")).toEqual([]);
    built("tool", 2000);
    expect(await warnings("tool", archive)).toEqual([]);
  });
});
