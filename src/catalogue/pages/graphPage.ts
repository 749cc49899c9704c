import { createHash } from "node:crypto";
import type { DagHash } from "../../spec/concrete.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import type { DependencyGraph } from "../graph/dependencyGraph.ts";
import { html, type MarkupContent, trusted } from "../markup.ts";
import type { SiteAssets } from "../siteFiles.ts";
import { type WayNode, waysInside } from "../whyInside.ts";
import { graphDrawing, reasonOf } from "./imageSections.ts";
import { count } from "./layout.ts";

/** What a page of one dependency graph shows. */
export interface GraphPageFacts {
  readonly title: string;
  /** Where the packages are from, as a sentence without its end. */
  readonly origin: string;
  readonly graph: DependencyGraph;
  readonly roots: readonly { readonly request: string; readonly hash: DagHash }[];
  /** Bytes of archives, as far as they are known. */
  readonly sizes: ReadonlyMap<DagHash, number>;
}

/**
 * A page with the dependency graph of one container, to pan and zoom as in a catalogue, and the table that says the same. It is one
 * file, which needs nothing else and may run nothing but its own script.
 */
export function graphPage(facts: GraphPageFacts, assets: SiteAssets): string {
  const { title, origin, graph, roots, sizes } = facts;
  const [style, script] = [assetOf(assets, "style.css"), assetOf(assets, "container.js")];
  const rowOf = new Map(graph.nodes.map(({ hash }, at) => [hash, at]));
  const ways = waysInside(wayNodes(graph), roots);
  const edges = graph.edges.flatMap(({ from, to, types }) => {
    const [source, target] = [rowOf.get(from), rowOf.get(to)];
    return source === undefined || target === undefined
      ? []
      : [[source, target, types.includes("link") ? 1 : 0]];
  });
  const rows = graph.nodes.map(({ hash, name, version, kind }): MarkupContent => {
    const shown = kind === "package" ? undefined : kind;
    const size = sizes.get(hash);
    return html`<tr id="${hash}"${shown !== undefined && html` data-kind="${shown}"`}><th scope="row"><a href="#${hash}">${name}</a></th><td>${version}</td><td>${reasonOf(ways.get(hash), shown)}</td><td><code class="hash">${hash.slice(0, 7)}</code></td><td class="number"${size !== undefined && html` data-bytes="${size}"`}>${size === undefined ? "–" : formatBytes(size)}</td></tr>
`;
  });
  const externals = graph.nodes.filter(({ kind }) => kind === "external").length;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Dependencies of ${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<main id="main" class="wide">
<h1>Dependencies of ${title}</h1>
<p class="lead">${count(graph.nodes.length - externals, "package")}${externals > 0 && `, and ${count(externals, "external")} of the base`}, ${origin}.</p>
${graphDrawing(edges)}
<h2 id="packages">Packages</h2>
<p class="filter" hidden><label>Filter <input type="search" data-filter="inside" autocomplete="off"></label></p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of packages"><table id="inside"><thead><tr><th scope="col">Package</th><th scope="col">Version</th><th scope="col">Why it is there</th><th scope="col">Hash</th><th scope="col" class="number">Archive</th></tr></thead>
<tbody>${rows}</tbody></table></div>
</main>
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

/** A file of the catalogue, as it may stand inside of a page: nothing in it ends its element. */
function assetOf(assets: SiteAssets, name: string): string {
  const text = assets.get(name);
  if (text === undefined) throw new Error(`the program has no ${name} for pages`);
  if (/<\/(script|style)/i.test(text)) throw new Error(`${name} cannot stand inside of a page`);
  return text;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function wayNodes({ nodes, edges }: DependencyGraph): ReadonlyMap<DagHash, WayNode> {
  const names = new Map(nodes.map(({ hash, name }) => [hash, name]));
  const dependencies = new Map<DagHash, WayNode["dependencies"][number][]>();
  for (const { from, to, types } of edges) {
    const list = dependencies.get(from) ?? [];
    list.push({ name: names.get(to) ?? "", hash: to, types: new Set(types) });
    dependencies.set(from, list);
  }
  return new Map(nodes.map(({ hash, name }) => [hash, { name, dependencies: dependencies.get(hash) ?? [] }]));
}
