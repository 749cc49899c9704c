/** Every command and output of the documentation runs as a test, or is marked as an illustration. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type Block, blocksOf, demoStates, pages, runners } from "./blocks.ts";

const root = resolve(import.meta.dirname, "../..");
const all = pages.flatMap(blocksOf);
const known = ["illustration", "demo", ...demoStates];

const isIllustration = ({ marks }: Block): boolean => marks.includes("illustration");
const runnersOf = (block: Block): readonly string[] =>
  runners.filter(({ runs }) => runs(block)).map(({ test }) => test);
const named = ({ page, line, text }: Block): string => `${page}:${line} ${text.split("\n")[0]}`;

describe("the blocks of the documentation", () => {
  it("are found on every page, with the headings that they stand below", () => {
    expect(all.length).toBeGreaterThan(200);
    expect(all.find(({ page }) => page === "docs/migrate.md")?.headings).toEqual([
      "Converting existing definitions",
    ]);
  });

  it.each(pages)("of %s run as a test, or are marked as illustrations", (page) => {
    const open = blocksOf(page).filter((block) => !isIllustration(block) && runnersOf(block).length === 0);
    expect(open.map(named), "run them in a test, or write `illustration` behind the language").toEqual([]);
  });

  it("are not marked as illustrations where a test runs them", () => {
    const both = all.filter((block) => isIllustration(block) && runnersOf(block).length > 0);
    expect(both.map(named)).toEqual([]);
  });

  it("have no other marks, and a language where they have one", () => {
    const wrong = all.filter(({ marks }) => marks.some((mark) => !known.includes(mark)));
    expect(wrong.map(named)).toEqual([]);
  });

  it("are run by tests that there are, and that read their pages", () => {
    for (const { test, runs } of runners) {
      const mine = all.filter(runs);
      expect(mine.length, test).toBeGreaterThan(0);
      const text = readFileSync(join(root, test), "utf8");
      for (const page of new Set(mine.map((block) => block.page)))
        expect(text.includes(page) || /readdirSync|blocksOf/.test(text), `${test} reads ${page}`).toBe(true);
    }
  });
});
