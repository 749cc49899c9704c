import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { dependencyGraph } from "../../../src/catalogue/graph/dependencyGraph.ts";
import { graphPage } from "../../../src/catalogue/pages/graphPage.ts";
import type { ConcreteSpec } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";

const assets = new Map([
  ["style.css", "body{color:red}"],
  ["container.js", "start();"],
]);
const hash = (text: string): string => `sha256-${createHash("sha256").update(text).digest("base64")}`;

function pageOf(root: ConcreteSpec, all: readonly ConcreteSpec[], files = assets): string {
  const graph = dependencyGraph(new Map(all.map((spec) => [spec.hash, spec])), [root.hash]);
  const roots = [{ request: "<app>", hash: root.hash }];
  return graphPage(
    { title: "<b>tools", origin: "as locked", graph, roots, sizes: new Map([[root.hash, 1_500_000]]) },
    files,
  );
}

describe("a page of a dependency graph", () => {
  const zlib = makeSpec("zlib@1.3");
  const png = makeSpec("png@1.6", { link: [zlib] });
  const app = makeSpec("app@2.0", { run: [png] });

  it("has a row for each package that says why it is there, and the edges between rows", () => {
    const page = pageOf(app, [zlib, png, app]);
    const rows = [...page.matchAll(/<tr id="[^"]+".*?<\/tr>/gs)].map(([row]) => row.replace(/<[^>]*>/g, "|"));
    expect(rows.map((row) => row.split("|").filter((cell) => cell !== ""))).toEqual([
      ["app", "2.0", "asked for: ", "&lt;app&gt;", app.hash.slice(0, 7), "1.5 MB"],
      ["png", "1.6", "for app", png.hash.slice(0, 7), "–"],
      ["zlib", "1.3", "for app › png", zlib.hash.slice(0, 7), "–"],
    ]);
    expect(page).toContain('id="edges">[[0,1,0],[1,2,1]]</script>');
    expect(page).toContain("<title>Dependencies of &lt;b&gt;tools</title>");
  });

  it("needs no other file, and may run nothing but its own script", () => {
    const page = pageOf(app, [zlib, png, app]);
    expect(page).not.toMatch(/(src|href)="(?!#)/);
    expect(page).toContain(`script-src '${hash("start();")}'; style-src '${hash("body{color:red}")}'`);
    expect(page).toContain("<script>start();</script>");
  });

  it("is refused where a file would end its own element", () => {
    const files = new Map([...assets, ["container.js", "'</script>'"]]);
    expect(() => pageOf(app, [zlib, png, app], files)).toThrow(/cannot stand inside/);
    expect(() => pageOf(app, [zlib, png, app], new Map())).toThrow(/has no style\.css/);
  });
});
