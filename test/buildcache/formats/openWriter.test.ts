import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { describeCacheWriter } from "../../support/writerConformance.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-caches-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

for (const format of ["v3", "v2"] as const)
  for (const unsigned of [false, true])
    describeCacheWriter(
      `a folder in layout ${format}, ${unsigned ? "unsigned" : "signed"}`,
      { format, unsigned },
      async () => {
        await mkdir(root, { recursive: true });
        const folder = await mkdtemp(join(root, "cache-"));
        return { source: { url: folder }, damage: (path) => rm(join(folder, path)) };
      },
    );
