/** The documentation as a site: it builds without a network, every link leads somewhere, and the search finds what people look for. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { errorCodes } from "../../src/util/errors.ts";
import { blocksOf } from "../docs/blocks.ts";

const site = resolve(import.meta.dirname, "../../site");
const trouble = existsSync(join(site, "node_modules/vitepress"))
  ? undefined
  : "its packages are not installed: (cd site && npm ci)";

/** A page of the site by its path from the root, `hpc.html`. */
const pages = new Map<string, string>();

describe.skipIf(trouble !== undefined)(
  `the documentation as a site${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    beforeAll(() => {
      // In a network of its own, where the machine lets us have one: nothing is to be fetched.
      const alone = spawnSync("unshare", ["-rn", "true"]).status === 0 ? ["unshare", "-rn"] : [];
      const [program = "", ...args] = [...alone, "npm", "run", "build"];
      const { status, stdout, stderr } = spawnSync(program, args, {
        cwd: site,
        encoding: "utf8",
        env: { ...process.env, SITE_BASE: "/", NO_COLOR: "1" },
      });
      expect(status, stdout + stderr).toBe(0);
      const dist = join(site, "dist");
      for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" }))
        if (name.endsWith(".html")) pages.set(name, readFileSync(join(dist, name), "utf8"));
    }, 300_000);

    it("has every page of docs/, in one of its four parts", async () => {
      const { parts } = (await import(pathToFileURL(join(site, ".vitepress/config.ts")).href)) as {
        readonly parts: readonly {
          readonly text: string;
          readonly items: readonly { readonly link: string }[];
        }[];
      };
      expect(parts.map(({ text }) => text)).toEqual([
        "Tutorials",
        "How-to guides",
        "Reference",
        "Explanation",
      ]);
      const linked = parts.flatMap(({ items }) => items.map(({ link }) => link));
      expect(new Set(linked).size).toBe(linked.length);
      const written = readdirSync(join(site, "../docs"))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `/${name.slice(0, -3)}`);
      expect(written.filter((page) => !linked.includes(page))).toEqual([]);
    });

    it("has no link to a page or a heading that is not there", () => {
      const ids = new Map(
        [...pages].map(([name, text]) => [
          name,
          new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)),
        ]),
      );
      const broken = [...pages].flatMap(([name, text]) =>
        [...text.matchAll(/<a [^>]*?href="([^"]+)"/g)].flatMap(([, href = ""]) => {
          if (/^[a-z]+:/.test(href)) return [];
          const [path = "", fragment = ""] = href.split("#");
          const target = path === "" ? name : path.replace(/^\//, "").replace(/(^|\/)$/, "$1index.html");
          const found = ids.get(target.endsWith(".html") ? target : `${target}.html`);
          const isThere = found !== undefined && (fragment === "" || found.has(decodeURIComponent(fragment)));
          return isThere ? [] : [`${name}: ${href}`];
        }),
      );
      expect(broken).toEqual([]);
    });

    it("says of every block that no test runs that it is an illustration", () => {
      for (const [name, text] of pages) {
        const page = `docs/${name.replace(/\.html$/, ".md")}`;
        if (!existsSync(join(site, "..", page))) continue;
        const marked = blocksOf(page).filter(({ marks }) => marks.includes("illustration")).length;
        expect(text.split(/· illustration<\/span>/).length - 1, name).toBe(marked);
      }
    });

    it("finds every error code and every option", async () => {
      const chunks = join(site, "dist/assets/chunks");
      const file = readdirSync(chunks).find((name) => name.startsWith("@localSearchIndex")) ?? "";
      const { default: text } = (await import(pathToFileURL(join(chunks, file)).href)) as {
        readonly default: string;
      };
      const MiniSearch = createRequire(join(site, "package.json"))("minisearch") as {
        loadJSON(
          text: string,
          options: object,
        ): { search(query: string): readonly { readonly id: string }[] };
      };
      const { tokenize } = (await import(pathToFileURL(join(site, ".vitepress/config.ts")).href)) as {
        readonly tokenize: (text: string) => string[];
      };
      const index = MiniSearch.loadJSON(text, {
        tokenize,
        fields: ["title", "titles", "text"],
        storeFields: ["title", "titles"],
        searchOptions: { fuzzy: 0.2, prefix: true, boost: { title: 4, text: 2, titles: 1 } },
      });
      const first = (query: string): readonly string[] =>
        index
          .search(query)
          .slice(0, 10)
          .map(({ id }) => id);
      const missing = Object.keys(errorCodes).filter(
        (code) => !first(code).some((id) => id.includes("codes.html")),
      );
      expect(missing).toEqual([]);
      const options = new Set(
        [...pages].flatMap(([name, page]) =>
          name.startsWith("commands/")
            ? [...page.matchAll(/<td><code>(?:-\w, )?--([\w-]+)/g)].map(([, o = ""]) => o)
            : [],
        ),
      );
      expect(options.size).toBeGreaterThan(100);
      const lost = [...options].filter(
        (option) => !first(`--${option}`).some((id) => id.includes(`options.html#option-${option}`)),
      );
      expect(lost).toEqual([]);
    });
  },
);
