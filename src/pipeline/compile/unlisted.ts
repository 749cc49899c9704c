/** Packages that are to be pushed and listed, and are not yet: remembered on this machine, so that a run that is killed loses nothing. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { NewPackage } from "../../buildcache/formats/writer.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { digestOf, hexOfDigest } from "../../util/digest.ts";
import { isJsonObject } from "../../util/json.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";

/** A package that waits to be listed. */
export interface UnlistedPackage {
  readonly specFile: string;
  /** Folder of the build cache of this machine that has it. */
  readonly folder: string;
  /** Where it is remembered. */
  readonly record: string;
}

/** What waits to be listed in the index of one cache. */
export interface Unlisted {
  /** Gives where it is remembered. */
  add(content: Pick<NewPackage, "specFile">, folder: string): Promise<string>;
  all(): Promise<readonly UnlistedPackage[]>;
  /** They are listed. */
  done(packages: readonly UnlistedPackage[]): Promise<void>;
}

/**
 * @param cache tells caches apart
 * @param home see `cacheHome`
 */
export function openUnlisted(cache: string, home: string = cacheHome()): Unlisted {
  const folder = join(home, "unlisted", hexOfDigest(digestOf(cache)).slice(0, 16));
  return {
    async add({ specFile }, folderOf) {
      const record = join(folder, `${hexOfDigest(digestOf(specFile)).slice(0, 32)}.json`);
      await writeFileAtomically(record, JSON.stringify({ specFile, folder: folderOf }));
      return record;
    },
    async all() {
      const names = await readdir(folder).catch(() => []);
      const records = names.filter((name) => /^[0-9a-f]{32}\.json$/.test(name)).sort();
      const texts = await Promise.all(
        // Another run may have listed it just now.
        records.map((name) => readFile(join(folder, name), "utf8").catch(() => undefined)),
      );
      return texts.flatMap((text, at) => {
        const read = text === undefined ? undefined : readRecord(text);
        return read === undefined ? [] : [{ ...read, record: join(folder, records[at] ?? "") }];
      });
    },
    async done(packages) {
      for (const { record } of packages) await removeIfPossible(record);
    },
  };
}

/** Undefined: what was written there is damaged, and as good as none. */
function readRecord(text: string): Pick<UnlistedPackage, "specFile" | "folder"> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (!isJsonObject(json)) return undefined;
    const { specFile, folder } = json;
    return typeof specFile === "string" && typeof folder === "string" ? { specFile, folder } : undefined;
  } catch {
    return undefined;
  }
}
