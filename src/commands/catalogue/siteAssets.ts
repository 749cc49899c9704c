import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SiteAssets } from "../../catalogue/siteFiles.ts";
import { packageFile } from "../../util/packageFile.ts";

/** Style, icon and scripts of pages, as the build of this program made them. */
export async function siteAssets(): Promise<SiteAssets> {
  const folder = packageFile("dist/catalogue");
  const names = (await readdir(folder)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)),
  );
}
