/** The pages of a catalogue in a real browser: from a disk, and served below a path. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CatalogueFacts } from "../../src/catalogue/facts.ts";
import { siteFiles } from "../../src/catalogue/siteFiles.ts";
import { serveCatalogue } from "../../src/commands/catalogue/serveCatalogue.ts";
import { generationOf } from "../../src/spec/generation.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { concreteSatisfies } from "../../src/spec/satisfies.ts";
import { axeViolations, browserTrouble, openPage, startBrowser } from "../support/browser.ts";
import { builtProject } from "../support/builtProject.ts";
import { removeFolder } from "../support/removeFolder.ts";
import { hostileFacts, syntheticFacts } from "../support/syntheticFacts.ts";

/** Writes the facts as a site into a folder. */
function writeSite(facts: CatalogueFacts, folder: string): void {
  const built = join(builtProject, "catalogue");
  const assets = new Map(readdirSync(built).map((name) => [name, readFileSync(join(built, name), "utf8")]));
  for (const { path, text } of siteFiles(facts, assets)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

const folder = mkdtempSync(join(tmpdir(), "spacktainers-catalogue-"));
const site = join(folder, "below/a path");
let browser: Browser;
const end = new AbortController();
let served: string;
let facts: CatalogueFacts;

/** Where pictures for the documentation go, when they are asked for. */
const pictures = process.env.SPACKTAINERS_TEST_PICTURES === "1" ? resolve("docs/images") : undefined;

describe.skipIf(browserTrouble !== undefined)(
  `a catalogue in a browser${browserTrouble === undefined ? "" : ` (skipped: ${browserTrouble})`}`,
  () => {
    beforeAll(async () => {
      facts = await syntheticFacts({ containers: 24, packages: 60, recipes: 160, versions: 2 });
      writeSite(facts, site);
      browser = await startBrowser();
      // The folder above is no catalogue, but is served as one.
      writeFileSync(join(folder, "catalogue.json"), '{"format":"spacktainers-catalogue","version":1}');
      const { url } = await serveCatalogue({ directory: folder, from: ".", port: 0, signal: end.signal });
      served = `${url}below/a%20path`;
    });
    afterAll(async () => {
      await browser?.close();
      end.abort();
      removeFolder(folder);
    });

    const fileUrl = (path: string): string => pathToFileURL(join(site, path)).href;
    const container = "containers/container-003/index.html";

    describe.each([
      ["from a disk", fileUrl],
      ["served below a path", (path: string) => `${served}/${path}`],
    ])("%s", (_, at) => {
      it("shows every kind of page without an error, and asks no other host", async () => {
        for (const path of ["index.html", container, "packages/index.html", "packages/hdf5.html"]) {
          const { page, troubles, requests } = await openPage(browser, at(path));
          await page.locator("main h1").waitFor();
          expect(troubles, path).toEqual([]);
          const origins = new Set(requests.map((url) => new URL(url).origin));
          expect([...origins], path).toEqual([new URL(at(path)).origin]);
          await page.context().close();
        }
      });

      it("searches by specs, with the answers of the rules themselves", async () => {
        const { page, troubles, requests } = await openPage(browser, at("index.html"));
        expect(requests.some((url) => url.includes("search"))).toBe(false);
        const specs = ["hdf5", "hdf5@2: +mpi", "fftw ^mpi", "%gcc@12", "+shared", "cmake@3:", "mpich@9:"];
        for (const words of specs) {
          await search(page, words);
          expect(await shownContainers(page), words).toEqual(satisfying(words));
        }
        expect(requests.some((url) => url.includes("search"))).toBe(true);
        await search(page, "");
        expect(await page.locator(".card:visible").count()).toBe(24);
        await search(page, "hdf5@@");
        expect(await page.locator("#status").textContent()).toMatch(/^This is no spec: /);
        expect(troubles).toEqual([]);
        await page.context().close();
      });

      it("opens a search that somebody was sent", async () => {
        const { page } = await openPage(
          browser,
          `${at("index.html")}?q=${encodeURIComponent("hdf5@2: +mpi")}`,
        );
        await page.locator("#search[data-took]").waitFor();
        expect(await page.inputValue("#words")).toBe("hdf5@2: +mpi");
        expect(await shownContainers(page)).toEqual(satisfying("hdf5@2: +mpi"));
        await page.context().close();
      });

      it("copies commands", async () => {
        const { page } = await openPage(browser, at(container));
        const box = page.locator("figure.copybox", { hasText: "Apptainer" }).first();
        await box.getByRole("button").click();
        await box.getByText("Copied").waitFor();
        // What was copied, read by pasting it.
        await page.evaluate(
          "document.body.append(Object.assign(document.createElement('textarea'), {id: 'paste'}))",
        );
        await page.locator("#paste").focus();
        await page.keyboard.press("Control+V");
        expect(await page.inputValue("#paste")).toContain(
          "apptainer pull container-003.sif docker://ghcr.io/my-org/",
        );
        await page.context().close();
      });
    });

    it("moves and zooms the graph by pointer and by keys", async () => {
      const { page, troubles } = await openPage(browser, fileUrl(container));
      const image = facts.containers[3]?.images[0];
      const canvas = page.locator("#graph .canvas");
      await canvas.scrollIntoViewIfNeeded();
      await canvas.locator("svg g").first().waitFor();
      expect(await canvas.locator("svg g").count()).toBe(image?.packages.length);
      const place = (): Promise<string> => canvas.locator("svg").evaluate((svg) => svg.style.transform);
      const changes = async (act: () => Promise<void>): Promise<void> => {
        const before = await place();
        await act();
        await expect.poll(place).not.toBe(before);
      };
      // Only once it has been fitted into its place does it stay there.
      await expect.poll(place).toMatch(/scale\(0?\.\d+\)|scale\(1\)/);
      await changes(() => page.getByRole("button", { name: "Zoom in" }).click());
      await canvas.focus();
      for (const key of ["+", "-", "ArrowLeft", "ArrowDown", "0"])
        await changes(() => page.keyboard.press(key));
      await page.keyboard.press("0");
      await changes(async () => {
        const box = await canvas.boundingBox();
        if (box === null) throw new Error("no canvas");
        await page.mouse.move(box.x + box.width / 2, box.y + 8);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width / 2 + 80, box.y + 48, { steps: 4 });
        await page.mouse.up();
      });
      await page.keyboard.press("0");
      await canvas.locator("svg g.root").first().dispatchEvent("click");
      expect(await page.locator("#graph-note").textContent()).toMatch(/^\S+: needs \d+, needed by \d+$/);
      expect(await canvas.locator("svg g.near").count()).toBeGreaterThan(0);
      expect(troubles).toEqual([]);
      await page.context().close();
    });

    it("draws all bytes in the treemap, in proportion", async () => {
      const { page, troubles } = await openPage(browser, fileUrl(container));
      const layers = facts.containers[3]?.images[0]?.layers ?? [];
      const tiles = page.locator("#treemap .tile");
      await tiles.first().waitFor();
      const parts = layers.flatMap(({ packages, size }) =>
        packages.length === 0 ? [size] : packages.map(({ bytes }) => bytes),
      );
      expect(await tiles.count()).toBe(parts.length);
      const areas = await tiles.evaluateAll((list) =>
        list.map((one) => one.clientWidth * one.clientHeight).sort((a, b) => b - a),
      );
      const whole = parts.reduce((sum, bytes) => sum + bytes, 0);
      const largest = Math.max(...parts) / whole;
      const drawn = (areas[0] ?? 0) / areas.reduce((sum, area) => sum + area, 0);
      expect(Math.abs(drawn - largest)).toBeLessThan(0.05);
      await page.setViewportSize({ width: 500, height: 800 });
      await expect
        .poll(() => tiles.first().evaluate((tile) => tile.getBoundingClientRect().right))
        .toBeLessThanOrEqual(500);
      expect(troubles).toEqual([]);
      await page.context().close();
    });

    it("can be used with the keyboard alone", async () => {
      const { page } = await openPage(browser, fileUrl("index.html"));
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
      await page.keyboard.press("/");
      expect(await page.evaluate("document.activeElement.id")).toBe("words");
      await page.keyboard.type("container-003");
      await expect.poll(() => page.locator(".card:visible").count()).toBe(1);
      await page.keyboard.press("Tab");
      expect(await page.evaluate("document.activeElement.textContent")).toBe("container-003");
      await page.keyboard.press("Enter");
      await page.waitForURL(/containers\/container-003/);
      await page.goto(`${fileUrl("index.html")}?q=container-003`);
      await expect.poll(() => page.locator(".card:visible").count()).toBe(1);
      await page.locator("#words").focus();
      await page.keyboard.press("Escape");
      await expect.poll(() => page.locator(".card:visible").count()).toBe(24);
      await page.context().close();
    });

    // Each costs seconds; colours do not depend on the width.
    it.each([
      ["light", 1200],
      ["dark", 360],
    ] as const)(
      "has no violation of axe's rules, %s, and fits into %i pixels",
      async (colorScheme, width) => {
        const options = { colorScheme, viewport: { width, height: 800 } };
        for (const path of ["index.html", container, "packages/index.html", "packages/hdf5.html"]) {
          const { page, troubles } = await openPage(browser, fileUrl(path), options);
          if (path === "index.html") await search(page, "hdf5");
          // All that can be opened, and what is drawn when it is seen.
          await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
          if (path === container) {
            await page.locator("#graph").scrollIntoViewIfNeeded();
            await page.locator("#graph svg").waitFor();
          }
          expect(await axeViolations(page), path).toEqual([]);
          const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
          expect(overflow, path).toBeLessThanOrEqual(0);
          expect(troubles, path).toEqual([]);
          await page.context().close();
        }
      },
    );

    it("is dark where the reader wants it", async () => {
      const lightness = async (colorScheme: "light" | "dark"): Promise<number> => {
        const { page } = await openPage(browser, fileUrl("index.html"), { colorScheme });
        const color: string = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        await page.context().close();
        return Math.max(...(color.match(/\d+/g) ?? []).map(Number));
      };
      expect(await lightness("light")).toBeGreaterThan(200);
      expect(await lightness("dark")).toBeLessThan(60);
    });

    it("can be read without JavaScript", async () => {
      const { page } = await openPage(browser, fileUrl("index.html"), { javaScriptEnabled: false });
      expect(await page.locator(".card:visible").count()).toBe(24);
      expect(await page.locator("#search").isVisible()).toBe(false);
      await page.goto(fileUrl(container));
      expect(await page.locator("#inside tbody tr").count()).toBe(
        facts.containers[3]?.images[0]?.packages.length,
      );
      expect(await page.locator("button:visible").count()).toBe(0);
      await page.context().close();
    });

    it("runs nothing of what strangers wrote", async () => {
      const hostile = join(folder, "hostile");
      const few = await syntheticFacts({ containers: 2, packages: 20, recipes: 40 });
      writeSite(hostileFacts(few), hostile);
      const { page, troubles } = await openPage(browser, pathToFileURL(join(hostile, "index.html")).href);
      const dialogs: string[] = [];
      page.on("dialog", (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      await search(page, "zlib");
      await search(page, "");
      await page.locator(".card a").first().click();
      await page.locator("#treemap .tile").first().waitFor();
      await page.locator("#graph").scrollIntoViewIfNeeded();
      await page.locator("#graph svg g").first().waitFor();
      expect(
        await page.locator("main script:not([type='application/json']), main img, main iframe").count(),
      ).toBe(0);
      expect({ dialogs, troubles }).toEqual({ dialogs: [], troubles: [] });
      await page.context().close();
    });

    it("has a feed that is XML", async () => {
      const { page } = await openPage(browser, fileUrl("index.html"));
      const text = readFileSync(join(site, "feed.xml"), "utf8");
      const root: unknown = await page.evaluate(
        `new DOMParser().parseFromString(${JSON.stringify(text)}, "application/xml").documentElement.localName`,
      );
      expect(root).toBe("feed");
      await page.context().close();
    });

    it.skipIf(pictures === undefined)("has its picture taken for the documentation", async () => {
      if (pictures === undefined) return;
      mkdirSync(pictures, { recursive: true });
      const viewport = { width: 1000, height: 700 };
      const front = await openPage(browser, fileUrl("index.html"), { viewport });
      await search(front.page, "hdf5@2: +mpi");
      await front.page.screenshot({ path: join(pictures, "catalogue-front.png") });
      const top = await openPage(browser, fileUrl(container), { viewport });
      await top.page.locator("details.site").last().locator("summary").click();
      await top.page.locator(".toc").evaluate((one) => one.scrollIntoView());
      await top.page.screenshot({ path: join(pictures, "catalogue-container.png") });
      const one = await openPage(browser, fileUrl(container), {
        viewport: { width: 840, height: 450 },
        colorScheme: "dark",
      });
      await one.page.locator("#graph").scrollIntoViewIfNeeded();
      await one.page.locator("#graph svg").waitFor();
      await one.page.locator("h2#dependencies").evaluate((one) => one.scrollIntoView());
      await one.page.screenshot({ path: join(pictures, "catalogue-graph.png") });
    });

    /** Searches, and waits for the answer. */
    async function search(page: Page, words: string): Promise<void> {
      await page.evaluate("delete document.getElementById('search').dataset.took");
      await page.fill("#words", words);
      if (words === "") await expect.poll(() => page.locator("#status").textContent()).toBe("");
      else await page.locator("#search[data-took]").waitFor();
    }

    async function shownContainers(page: Page): Promise<readonly string[]> {
      return page.locator(".card:visible:has(.hits) h3").allTextContents();
    }

    /** By the rules themselves. */
    function satisfying(words: string): readonly string[] {
      const { containers, graph } = facts;
      return containers.flatMap(({ name, images }) => {
        const has = images.some(({ packages }) =>
          packages.some((hash) => {
            const spec = graph.get(hash);
            if (spec === undefined) return false;
            const dialect = generationOf(spec);
            return concreteSatisfies(graph, hash, parseSpec(words, { dialect }), { dialect });
          }),
        );
        return has ? [name] : [];
      });
    }
  },
);
