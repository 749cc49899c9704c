import { catalogueDocument } from "./document.ts";
import type { CatalogueFacts } from "./facts.ts";
import { atomFeed } from "./feed.ts";
import { frontPage } from "./pages/frontPage.ts";
import { imagePage } from "./pages/imagePage.ts";
import { packageList, packagePage, packageUses } from "./pages/packagePages.ts";
import { containerPath, imagePaths, packagePath } from "./paths.ts";
import { makeSearchData } from "./search/searchData.ts";

/** A file of the site. */
export interface SiteFile {
  /** Below the site, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Style, icon and scripts: file names and texts, as the build of this program makes them. */
export type SiteAssets = ReadonlyMap<string, string>;

/**
 * All files of a catalogue, one after the other: whole pages, which need no server and no script to be read. The same facts give the
 * same files.
 */
export function* siteFiles(facts: CatalogueFacts, assets: SiteAssets): Generator<SiteFile> {
  for (const [name, text] of assets) yield { path: `assets/${name}`, text };
  yield { path: "index.html", text: frontPage(facts) };
  for (const container of facts.containers) {
    const paths = imagePaths(container);
    if (paths.length === 0) yield { path: containerPath(container), text: imagePage(container, 0, facts) };
    for (const [at, path] of paths.entries()) yield { path, text: imagePage(container, at, facts) };
  }
  const uses = packageUses(facts);
  yield { path: "packages/index.html", text: packageList(facts, uses) };
  for (const name of uses.byName.keys())
    yield { path: packagePath(name), text: packagePage(name, facts, uses) };
  // A script, because pages that are read from a disk may not fetch files.
  yield {
    path: "data/search.js",
    text: `spacktainersSearchData=${JSON.stringify(makeSearchData(facts))};\n`,
  };
  yield { path: "feed.xml", text: atomFeed(facts) };
  yield { path: "catalogue.json", text: `${JSON.stringify(catalogueDocument(facts))}\n` };
  // GitHub Pages would leave out names that begin with `_`.
  yield { path: ".nojekyll", text: "" };
}
