/** The real build caches of the corpus (`../shared/corpus` from the project's root), where it is on this machine. */
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CacheSource } from "../../src/buildcache/types.ts";

export const corpusPath = resolve(import.meta.dirname, "../../../shared/corpus");

/** False where the corpus is not on this machine. */
export const hasCorpusCaches = existsSync(join(corpusPath, "cache.pub"));

/** A record of an index, as Spack wrote it. */
export interface IndexRecord {
  readonly spec: {
    readonly name: string;
    readonly version: string;
    readonly hash: string;
    readonly dependencies?: readonly {
      readonly name: string;
      readonly parameters: { readonly virtuals: readonly string[] };
    }[];
  };
  readonly in_buildcache: boolean;
}

/** The index of a layout, parsed whole: what ours must agree with. */
export function corpusIndex(layout: 2 | 3): Record<string, IndexRecord> {
  const path =
    layout === 2 ? join(corpusPath, "v2/build_cache/index.json") : join(corpusPath, "v3", indexBlob());
  return JSON.parse(readFileSync(path, "utf8")).database.installs;
}

function indexBlob(): string {
  const manifest = readFileSync(join(corpusPath, "v3/v3/manifests/index/index.manifest.json"), "utf8");
  const { checksum } = JSON.parse(manifest).data[0];
  return `blobs/sha256/${checksum.slice(0, 2)}/${checksum}`;
}

/** A cache of the corpus, or a copy of it elsewhere. */
export function corpusSource(layout: 2 | 3, url = join(corpusPath, `v${layout}`)): CacheSource {
  const content = readFileSync(join(corpusPath, "cache.pub"));
  return { url, keys: [{ name: "cache.pub", content }], unsigned: false };
}

/** All files of a cache of the corpus, by path. */
export async function corpusFiles(layout: 2 | 3): Promise<Map<string, Buffer>> {
  const root = join(corpusPath, `v${layout}`);
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(root.length + 1), readFileSync(path));
  }
  return files;
}
