/** The page that `explain --html` writes, in a real browser. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, browserTrouble, openPage, startBrowser } from "../support/browser.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

let work: Workplace;
beforeAll(() => {
  work = makeWorkplace();
  makeDemoRepository(work);
});
afterAll(() => work?.remove());

describe("explain --html", () => {
  it("writes one file, and says where", async () => {
    const { stdout } = await work.run(["-q", "explain", "hello-mpi", "--html", "graph.html"]);
    expect(stdout).toBe("graph.html\n");
    expect(readFileSync(work.path("graph.html"), "utf8")).toMatch(/^<!doctype html>/);
    const json = jsonLines(await work.run(["--json", "explain", "hello-mpi", "--html", "graph.html"])).at(-1);
    expect(json).toMatchObject({ type: "result", format: "html", file: work.path("graph.html") });
  });

  it("refuses what is no place for a page, before the work", async () => {
    mkdirSync(work.path("folder.html"));
    for (const file of ["graph.svg", "folder.html"]) {
      const { status, stderr } = await work.run(["-q", "explain", "no-such-container", "--html", file]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/error {2}USAGE {2}/);
    }
    const both = await work.run(["-q", "explain", "hello-mpi", "--html", "a.html", "--graph", "svg"]);
    expect(both.status).toBe(2);
  });
});

describe.skipIf(browserTrouble !== undefined)(
  `the page of a dependency graph${browserTrouble === undefined ? "" : ` (skipped: ${browserTrouble})`}`,
  () => {
    let browser: Browser;
    let url: string;
    beforeAll(async () => {
      await work.run(["-q", "explain", "hello-mpi", "--html", "page.html"]);
      url = pathToFileURL(work.path("page.html")).href;
      browser = await startBrowser();
    });
    afterAll(() => browser?.close());

    it("draws the graph, to pan and zoom, and asks for nothing else", async () => {
      const { page, troubles, requests } = await openPage(browser, url);
      const canvas = page.locator("#graph .canvas");
      await canvas.locator("svg g").first().waitFor();
      expect(await canvas.locator("svg g").count()).toBe(await page.locator("#inside tbody tr").count());
      const place = () => canvas.locator("svg").getAttribute("style");
      await expect.poll(place).toMatch(/scale/);
      const before = await place();
      await canvas.focus();
      await page.keyboard.press("+");
      await expect.poll(place).not.toBe(before);
      await canvas.locator("svg g.root").first().dispatchEvent("click");
      expect(await page.locator("#graph-note").textContent()).toMatch(/^mpich: needs 2, needed by 1$/);
      expect({ troubles, requests }).toEqual({ troubles: [], requests: [url] });
      await page.context().close();
    });

    it("runs nothing that somebody wrote into it", async () => {
      const text = readFileSync(work.path("page.html"), "utf8");
      const changed = text.replace("</main>", "<script>document.title = 'evil'</script></main>");
      writeFileSync(work.path("changed.html"), changed);
      const { page } = await openPage(browser, pathToFileURL(work.path("changed.html")).href);
      await page.locator("#graph svg g").first().waitFor();
      expect(await page.title()).toBe("Dependencies of hello-mpi amd64");
      await page.context().close();
    });

    it.each(["light", "dark"] as const)(
      "has no violation of axe's rules, %s, at 360 pixels",
      async (colorScheme) => {
        const { page } = await openPage(browser, url, { colorScheme, viewport: { width: 360, height: 800 } });
        await page.locator("#graph svg g").first().waitFor();
        expect(await axeViolations(page)).toEqual([]);
        expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(
          0,
        );
        await page.context().close();
      },
    );
  },
);
