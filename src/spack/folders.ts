/** Where what real Spacks need and make is kept. Little is imported here: other stages look at what was built. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dialect } from "../spec/dialect.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";

/** Where everything of real Spacks is kept. */
export function spackHome(): string {
  return join(cacheHome(), "spack");
}

/** The build caches that get what is built here, by the generation of Spack that writes them. */
export function builtCaches(trust: string, home: string = spackHome()): Readonly<Record<Dialect, string>> {
  const folder = trustFolder(home, trust);
  return { "0.x": join(folder, "built0"), "1.x": join(folder, "built1") };
}

/** Where what is installed and built is kept, apart for each trust. */
export function trustFolder(home: string, trust: string): string {
  return join(home, `t-${hexOfDigest(digestOf(trust)).slice(0, 8)}`);
}

/**
 * Makes the build caches that get what is built here, empty, so that they can be opened.
 *
 * @param trust as in `SpackOptions`
 */
export async function makeBuiltCaches(trust: string): Promise<void> {
  const folders = builtCaches(trust);
  await mkdir(join(folders["0.x"], "build_cache"), { recursive: true });
  await makeEmptyCache(folders["1.x"]);
}

/** Makes an empty build cache of layout v3; one that is there stays as it is. */
export async function makeEmptyCache(folder: string): Promise<void> {
  await mkdir(join(folder, "v3"), { recursive: true });
  const layout = JSON.stringify({ signing: "gpg" });
  await writeFile(join(folder, "v3", "layout.json"), layout, { flag: "wx" }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    },
  );
}
