import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCacheSet } from "../../../src/buildcache/cacheSet.ts";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { installTimesOf } from "../../../src/pipeline/compile/installTimes.ts";
import { secondsOfInstallTimes } from "../../../src/spack/buildTimes.ts";
import type { DagHash } from "../../../src/spec/concrete.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { corpusSource, hasCorpusCaches } from "../../support/corpusCaches.ts";

describe("installTimesOf", () => {
  it.skipIf(!hasCorpusCaches)(
    "finds in the beginning of a real archive how long it took (needs the corpus)",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "spacktainers-times-"));
      try {
        const caches = openCacheSet([corpusSource(3)], { emit: ignoreEvents, cacheDir: folder });
        const index = await caches.index();
        for (const name of ["mpich", "lz4", "ncurses"]) {
          const spec = index.spec(index.hashesOf(name).find((hash) => index.has(hash)) as DagHash);
          if (spec === undefined) throw new Error(name);
          const cached = await caches.findPackage(spec, (hash) => index.spec(hash));
          const seconds = secondsOfInstallTimes((await installTimesOf(cached, caches)) ?? "");
          expect(seconds).toBeGreaterThan(1);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it("finds nothing in what is no archive", async () => {
    const cached = { archiveUrl: "url" } as CachedPackage;
    const caches = { fetchArchiveHead: async () => Buffer.from("not gzip") };
    expect(await installTimesOf(cached, caches)).toBeUndefined();
  });
});
