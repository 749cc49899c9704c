import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import type { CatalogueFacts } from "../../src/catalogue/facts.ts";
import { imagePaths } from "../../src/catalogue/paths.ts";
import { type SiteFile, siteFiles } from "../../src/catalogue/siteFiles.ts";
import { hostileFacts, hostileText, syntheticFacts } from "../support/syntheticFacts.ts";

const assets = new Map([
  ["style.css", "body{}"],
  ["front.js", ""],
  ["container.js", ""],
  ["icon.svg", "<svg/>"],
]);
const facts = await syntheticFacts({ containers: 6, packages: 30, recipes: 60, versions: 2 });

function filesOf(some: CatalogueFacts): ReadonlyMap<string, string> {
  const files: readonly SiteFile[] = [...siteFiles(some, assets)];
  const map = new Map(files.map(({ path, text }) => [path, text]));
  expect(map.size).toBe(files.length);
  return map;
}

const text = (files: ReadonlyMap<string, string>, path: string): string => files.get(path) ?? "";

describe("siteFiles", () => {
  const files = filesOf(facts);

  it("has the same bytes for the same facts", () => {
    expect([...filesOf(facts)]).toEqual([...files]);
  });

  it("has a page for each image and each package", () => {
    const names = new Set(
      facts.containers.flatMap(({ images }) =>
        images.flatMap(({ packages }) => packages.map((hash) => facts.graph.get(hash)?.name)),
      ),
    );
    expect([...files.keys()].filter((path) => path.startsWith("containers/"))).toHaveLength(12);
    expect([...files.keys()].filter((path) => path.startsWith("packages/"))).toHaveLength(names.size + 1);
    expect(files.has("containers/container-000/index.html")).toBe(true);
  });

  it("links only to what is there, and loads nothing of other hosts", () => {
    const broken: string[] = [];
    for (const [path, page] of files) {
      if (!path.endsWith(".html")) continue;
      const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
      for (const [, attribute, target = ""] of page.matchAll(/ (href|src)="([^"]*)"/g)) {
        const outside = /^[a-z]+:/.test(target);
        if (outside) {
          // The repository that the definitions are in, and the page's own address.
          if (!target.startsWith("https://example.org/") || attribute === "src")
            broken.push(`${path} ${target}`);
          continue;
        }
        const [, file = "", fragment] = /^([^#?]*)(?:\?[^#]*)?(?:#(.*))?$/.exec(target) ?? [];
        if (file === "") {
          if (!ids.has(fragment ?? "")) broken.push(`${path} ${target}`);
          continue;
        }
        const there = files.get(posix.join(posix.dirname(path), decodeURIComponent(file)));
        if (there === undefined || (fragment !== undefined && !there.includes(` id="${fragment}"`)))
          broken.push(`${path} ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("says in words why each package is there, without a script", () => {
    const page = text(files, "containers/container-000/index.html");
    const image = facts.containers[0]?.images[0];
    for (const hash of image?.packages ?? []) expect(page).toContain(`#${hash}"`);
    expect(page).toContain("asked for: ");
    expect(page).toMatch(/<td>for [\w-]+( › [\w-]+)*<\/td>/);
    expect(page).toContain("#SBATCH --job-name=container-000");
    expect(page).toContain("Since 9.0: 2 packages changed");
    for (const runtime of ["Apptainer", "Podman", "Docker", "Sarus", "Container Engine", "pyxis"])
      expect(page).toContain(`<span>${runtime}</span>`);
    expect(page).toContain("srun --container-image=&#39;ghcr.io#my-org/container-000:10.0&#39; --pty bash");
  });

  it("says why there is nothing about sites: only the newest image is held against them", () => {
    const [first] = facts.containers;
    const [newest, older] = first?.images ?? [];
    if (first === undefined || newest === undefined || older === undefined) throw new Error("no images");
    const images = [newest, { ...older, sites: [] }];
    const pages = filesOf({ ...facts, containers: [{ ...first, images }] });
    const ofOlder = text(pages, imagePaths({ ...first, images })[1] ?? "");
    expect(ofOlder).toContain(
      'Only the newest image is checked against sites: <a href="../../containers/container-000/index.html#sites">10.0</a>',
    );
    const without = (image: typeof newest): string =>
      text(
        filesOf({ ...facts, containers: [{ ...first, images: [{ ...image, sites: [] }] }] }),
        "containers/container-000/index.html",
      );
    expect(without(newest)).toContain("The image was not checked against a site");
    expect(without({ ...newest, origin: "locked" })).toContain(
      "The image is not built yet, so it cannot be checked",
    );
  });

  it("has a document as its schema says", () => {
    const schema = JSON.parse(readFileSync("schema/output/catalogue-file.json", "utf8"));
    const validate = new Ajv({ allErrors: true, strict: false }).compile(schema);
    const document = JSON.parse(text(files, "catalogue.json"));
    validate(document);
    expect(validate.errors).toBeNull();
    expect(document).toMatchObject({ format: "spacktainers-catalogue", version: 1 });
    const paths = document.containers.flatMap((one: { images: readonly { path: string }[] }) =>
      one.images.map(({ path }) => path),
    );
    expect(paths.every((path: string) => files.has(path))).toBe(true);
  });

  it("has a feed with the newest images first", () => {
    const feed = text(files, "feed.xml");
    const times = [...feed.matchAll(/<entry>.*?<updated>([^<]*)<\/updated>/gs)].map(([, time]) => time ?? "");
    expect(times).toHaveLength(12);
    expect(times).toEqual([...times].sort().reverse());
    expect(feed).toContain(
      '<link href="https://example.org/catalogue/containers/container-000/index.html"/>',
    );
  });

  it("keeps the front page small", async () => {
    const many = await syntheticFacts({ containers: 300, packages: 5, recipes: 40 });
    expect(text(filesOf(many), "index.html").length).toBeLessThan(150_000);
  });

  it("shows containers that are nowhere, and says what is missing", () => {
    const [first] = facts.containers;
    if (first === undefined) throw new Error("no container");
    const some = {
      ...facts,
      containers: [{ ...first, images: [] }],
      missing: ["ghcr.io: it does not answer"],
    };
    const made = filesOf(some);
    expect(text(made, "index.html")).toContain("ghcr.io: it does not answer");
    expect(text(made, "containers/container-000/index.html")).toContain(
      "Nothing is published, built or locked",
    );
  });
});

describe("hostile facts", () => {
  const files = filesOf(hostileFacts(facts));

  it("stay text on every page", () => {
    for (const [path, page] of files) {
      if (!path.endsWith(".html") && !path.endsWith(".xml")) continue;
      expect(page, path).not.toMatch(/<script>|<img|onerror=alert[^&]*>|<\/style>|\p{Surrogate}/u);
      expect(page, path).not.toContain("\0");
      expect(page, path).not.toContain(hostileText);
      expect(page, path).not.toMatch(/href="\s*javascript:/i);
    }
    expect(text(files, "index.html")).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  });

  it("lead to no file outside of the site", () => {
    for (const path of files.keys()) {
      expect(posix.normalize(path), path).toBe(path);
      expect(path).not.toMatch(/^\/|(^|\/)\.\.(\/|$)|\\/);
    }
  });
});
