import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dependencyGraph, pathsTo } from "../../../src/catalogue/graph/dependencyGraph.ts";
import { svgGraph } from "../../../src/catalogue/graph/dependencyGraphSvg.ts";
import { dotGraph, mermaidGraph } from "../../../src/catalogue/graph/dependencyGraphText.ts";
import type { ConcreteSpec, SpecGraph } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";

const graphOf = (...specs: readonly ConcreteSpec[]): SpecGraph =>
  new Map(specs.map((spec) => [spec.hash, spec]));

const glibc = makeSpec("glibc@2.36", { external: "/usr" });
const zlib = makeSpec("zlib@1.3", { link: [glibc] });
const cmake = makeSpec("cmake@3.20", { link: [zlib] });
const python = makeSpec("python@3.11", { link: [zlib] });
const app = makeSpec("app@1.0", { link: [zlib], run: [python], build: [cmake] });
const graph = graphOf(glibc, zlib, cmake, python, app);
const drawn = dependencyGraph(graph, [app.hash]);

describe("dependencyGraph", () => {
  it("has what is needed at run time, externals included, build tools left out", () => {
    expect(drawn.nodes.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "app root",
      "glibc external",
      "python package",
      "zlib package",
    ]);
    const name = new Map(drawn.nodes.map((node) => [node.hash, node.name]));
    expect(drawn.edges.map(({ from, to, types }) => `${name.get(from)} ${types} ${name.get(to)}`)).toEqual([
      "app run python",
      "app link zlib",
      "python link zlib",
      "zlib link glibc",
    ]);
  });
});

describe("pathsTo", () => {
  it("finds the shortest path from each root, with the types of its steps", () => {
    const { paths, runtime } = pathsTo(graph, [python.hash, app.hash], zlib.hash);
    expect(runtime).toBe(true);
    expect(paths.map((path) => path.map(({ name, types }) => `${name} ${types}`))).toEqual([
      ["python link", "zlib "],
      ["app link", "zlib "],
    ]);
    expect(pathsTo(graph, [app.hash], app.hash).paths).toEqual([
      [{ name: "app", version: "1.0", hash: app.hash, types: [] }],
    ]);
  });

  it("takes build dependencies only where nothing else leads there", () => {
    const { paths, runtime } = pathsTo(graph, [app.hash], cmake.hash);
    expect(runtime).toBe(false);
    expect(paths[0]?.map(({ name }) => name)).toEqual(["app", "cmake"]);
    expect(pathsTo(graph, [zlib.hash], app.hash).paths).toEqual([]);
  });
});

describe("graphs as text", () => {
  it("are what Graphviz reads", () => {
    expect(dotGraph(drawn)).toContain(`"${app.hash}" [label="app@1.0", penwidth=2];`);
    expect(dotGraph(drawn)).toContain(`"${glibc.hash}" [label="glibc@2.36", style="dashed"];`);
    expect(dotGraph(drawn)).toContain(`"${app.hash}" -> "${python.hash}" [style=dashed];`);
    expect(dotGraph(drawn)).toContain(`"${app.hash}" -> "${zlib.hash}";`);
  });

  it("are what Mermaid reads", () => {
    expect(mermaidGraph(drawn)).toBe(
      [
        "flowchart LR",
        '  n0["app@1.0"]',
        '  n1("glibc@2.36")',
        '  n2["python@3.11"]',
        '  n3["zlib@1.3"]',
        "  n0 -.-> n2",
        "  n0 --> n3",
        "  n2 --> n3",
        "  n3 --> n1",
        "  classDef root stroke-width:3px",
        "  class n0 root",
        "",
      ].join("\n"),
    );
  });

  it("cannot be broken out of by names and versions", () => {
    const odd = { ...makeSpec("odd"), version: '1"];<b>&\\' };
    const one = dependencyGraph(graphOf(odd), [odd.hash]);
    expect(dotGraph(one)).toContain('label="odd@1\\"];<b>&\\\\"');
    expect(mermaidGraph(one)).toContain('n0["odd@1#34;#93;#59;#60;b#62;#38;#92;"]');
    expect(svgGraph(one)).toContain("odd@1&#34;];&#60;b&#62;&#38;\\");
    expect(svgGraph(one)).not.toContain("<b>");
  });

  it("tell packages of one version apart by their hashes", () => {
    const [a, b] = [makeSpec("zlib@1.3"), makeSpec("zlib@1.3")];
    const two = dependencyGraph(graphOf(a, b), [a.hash, b.hash]);
    expect(dotGraph(two)).toContain(`zlib@1.3/${a.hash.slice(0, 7)}`);
    expect(dotGraph(two)).toContain(`zlib@1.3/${b.hash.slice(0, 7)}`);
  });
});

/** Boxes of a drawing by title. */
function boxes(svg: string) {
  const pattern =
    /<title>([^<]*)<\/title><rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g;
  return [...svg.matchAll(pattern)].map(([, title = "", x, y, width, height]) => ({
    name: title.split("@")[0] ?? "",
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
  }));
}

describe("svgGraph", () => {
  it("draws a box a package and an arrow a dependency, to the right of what needs it", () => {
    const svg = svgGraph(drawn);
    const x = new Map(boxes(svg).map((box) => [box.name, box.x]));
    expect([...x.keys()].sort()).toEqual(["app", "glibc", "python", "zlib"]);
    // Pieces of arrows on their way through other columns have no head.
    const arrows = [...svg.matchAll(/<path d="M[^"]*C[^"]*"( class="[^"]*")?\/>/g)].map(
      ([, classes]) => classes ?? "",
    );
    expect(arrows.filter((classes) => !classes.includes("way"))).toHaveLength(drawn.edges.length);
    for (const [from, to] of [
      ["app", "python"],
      ["python", "zlib"],
      ["zlib", "glibc"],
    ] as const)
      expect(x.get(from)).toBeLessThan(x.get(to) ?? 0);
  });

  it("is empty for nothing", () => {
    expect(svgGraph({ nodes: [], edges: [] })).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>\n$/);
  });

  it("never lets boxes overlap or leave the drawing, and is the same every time", () => {
    const dag = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(dag, (edges) => {
        const specs: ConcreteSpec[] = [];
        for (const [index, targets] of edges.entries())
          specs.push(
            makeSpec(`p${String.fromCharCode(97 + index)}@1`, {
              link: [...new Set(targets.map((target) => target % Math.max(1, index)))]
                .filter((target) => target < index)
                .flatMap((target) => specs[target] ?? []),
            }),
          );
        const one = dependencyGraph(
          graphOf(...specs),
          specs.map(({ hash }) => hash),
        );
        const svg = svgGraph(one);
        expect(svgGraph(one)).toBe(svg);
        const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
        const all = boxes(svg);
        expect(all).toHaveLength(specs.length);
        for (const [index, box] of all.entries()) {
          expect(box.x).toBeGreaterThanOrEqual(0);
          expect(box.y).toBeGreaterThanOrEqual(0);
          expect(box.x + box.width).toBeLessThanOrEqual(Number(width));
          expect(box.y + box.height).toBeLessThanOrEqual(Number(height));
          for (const other of all.slice(index + 1)) {
            const apart =
              box.x + box.width <= other.x ||
              other.x + other.width <= box.x ||
              box.y + box.height <= other.y ||
              other.y + other.height <= box.y;
            expect(apart).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
