import type { CatalogueFacts } from "../catalogue/facts.ts";
import type { BuildCatalogueRequest, BuiltCatalogue } from "../commands/catalogue/buildCatalogue.ts";
import type { CatalogueRequest } from "../commands/catalogue/gatherCatalogue.ts";
import type { ServeCatalogueRequest, ServedCatalogue } from "../commands/catalogue/serveCatalogue.ts";
import { complete, type Given } from "./requests.ts";
import type { DoWork } from "./work.ts";

/** `catalogue`: the web pages of a repository's containers. */
export interface CatalogueMethods {
  /** Writes the pages into a folder. */
  build(request: Given<BuildCatalogueRequest, "into">): Promise<BuiltCatalogue>;
  /** What the pages would show, as data. */
  facts(request?: Given<CatalogueRequest>): Promise<CatalogueFacts>;
  /** Serves a folder of pages to this machine, until `signal` ends it. */
  serve(request: Given<ServeCatalogueRequest, "from">): Promise<ServedCatalogue>;
}

/** All containers, and all sites that are described. */
const everything = {
  names: [],
  arch: undefined,
  sites: undefined,
  title: undefined,
  baseUrl: undefined,
} as const;

/** The methods of one session. */
export function catalogueMethods(work: DoWork): CatalogueMethods {
  return {
    build: (given) =>
      work(given, async (session) => {
        const { buildCatalogue } = await import("../commands/catalogue/buildCatalogue.ts");
        const usual = { ...everything, force: false };
        return buildCatalogue(complete<BuildCatalogueRequest, "into">(session, usual, given));
      }),
    facts: (given = {}) =>
      work(given, async (session) => {
        const { gatherCatalogue } = await import("../commands/catalogue/gatherCatalogue.ts");
        return gatherCatalogue(complete<CatalogueRequest>(session, everything, given));
      }),
    serve: (given) =>
      work(given, async (session) => {
        const { serveCatalogue } = await import("../commands/catalogue/serveCatalogue.ts");
        return serveCatalogue(complete<ServeCatalogueRequest, "from">(session, { port: 0 }, given));
      }),
  };
}
