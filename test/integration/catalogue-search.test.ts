/** The search of a catalogue, held against what real Spack answered in the corpus. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { CatalogueFacts, CatalogueImage } from "../../src/catalogue/facts.ts";
import { openSearch } from "../../src/catalogue/search/openSearch.ts";
import { makeSearchData, type SearchData } from "../../src/catalogue/search/searchData.ts";
import { readLock } from "../../src/environment/lock.ts";
import { generationOf } from "../../src/spec/generation.ts";
import { syntheticFacts } from "../support/syntheticFacts.ts";

const corpus = resolve(import.meta.dirname, "../../../shared/corpus");
const recordings = join(corpus, "oracle");
const present = existsSync(recordings);

interface Line {
  readonly hash: string;
  readonly constraint: string;
  readonly satisfies: boolean;
}

describe.skipIf(!present)(`answers of real Spack${present ? "" : " (skipped: there is no corpus)"}`, () => {
  it.each(present ? readdirSync(recordings).sort() : [])(
    "%s: the search gives each of them",
    async (name) => {
      const folder = join(recordings, name);
      const meta = JSON.parse(readFileSync(join(folder, "meta.json"), "utf8")) as {
        readonly dialect: string;
        readonly lock: string;
      };
      const file = join(corpus, meta.lock);
      const { graph, roots } = readLock(readFileSync(file, "utf8"), file);
      const [sample] = (await syntheticFacts({ containers: 1, packages: 5, recipes: 20 })).containers;
      if (sample === undefined) throw new Error("no container");
      const image = { ...sample.images[0], packages: [...graph.keys()], roots } as CatalogueImage;
      const facts: CatalogueFacts = {
        title: "corpus",
        source: undefined,
        baseUrl: undefined,
        containers: [{ ...sample, images: [image] }],
        graph,
        missing: [],
      };
      // As a browser reads it.
      const data = JSON.parse(JSON.stringify(makeSearchData(facts))) as SearchData;
      const search = openSearch(data);
      const rowOf = new Map(data.packages.map(([hash], row) => [hash, row]));
      const lines = readFileSync(join(folder, "concrete.jsonl"), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Line);
      let compared = 0;
      const wrong: Line[] = [];
      for (const line of lines) {
        const spec = [...graph.values()].find(({ hash }) => hash === line.hash);
        // Packages of the other generation are asked in their own words.
        if (spec === undefined || generationOf(spec) !== meta.dialect) continue;
        // Who searches for nothing sees everything.
        if (line.constraint.trim() === "") continue;
        compared++;
        const found = search.satisfying(line.constraint).includes(rowOf.get(line.hash) ?? -1);
        if (found !== line.satisfies) wrong.push(line);
      }
      expect(wrong).toEqual([]);
      expect(compared).toBeGreaterThan(5000);
    },
  );
});
