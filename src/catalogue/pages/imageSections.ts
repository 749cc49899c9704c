/** Sections of the page of an image that say what is in it. */
import type { DagHash, SpecGraph } from "../../spec/concrete.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import type { CatalogueImage, CatalogueLayer, ImageChanges, VersionChange } from "../facts.ts";
import { html, jsonMarkup, type MarkupContent } from "../markup.ts";
import { linkFrom, packagePath } from "../paths.ts";
import { type WayInside, waysInside } from "../whyInside.ts";
import { count } from "./layout.ts";

/** Where a package is in an image. */
interface PlaceInImage {
  readonly layer: number;
  readonly bytes: number;
  readonly estimated: boolean;
}

function placesOf(layers: readonly CatalogueLayer[]): ReadonlyMap<DagHash, PlaceInImage> {
  return new Map(
    layers.flatMap(({ packages, estimated }, layer) =>
      packages.map(({ hash, bytes }) => [hash, { layer: layer + 1, bytes, estimated }] as const),
    ),
  );
}

/** The table of packages, which the drawings are made of: scripts read names, layers and bytes from it. */
export function packageTable(image: CatalogueImage, graph: SpecGraph, path: string): MarkupContent {
  const ways = waysInside(graph, image.roots);
  const places = placesOf(image.layers);
  const roots = new Set(image.roots.map(({ hash }) => hash));
  const externals = new Set(image.externals);
  const rows = [...image.packages, ...image.externals].map((hash) => {
    const spec = graph.get(hash);
    if (spec === undefined) return undefined;
    const way = ways.get(hash);
    const place = places.get(hash);
    const kind = roots.has(hash) ? "root" : externals.has(hash) ? "external" : undefined;
    return html`<tr${kind !== undefined && html` data-kind="${kind}"`}><th scope="row"><a href="${linkFrom(path, packagePath(spec.name))}#${hash}">${spec.name}</a></th><td>${spec.version}</td><td>${reasonOf(way, kind)}</td><td class="number">${place?.layer ?? "–"}</td><td class="number"${place !== undefined && html` data-bytes="${place.bytes}"`}>${place === undefined ? "–" : `${place.estimated ? "≈ " : ""}${formatBytes(place.bytes)}`}</td></tr>
`;
  });
  return html`<p class="filter" hidden><label>Filter <input type="search" data-filter="inside" autocomplete="off"></label></p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of packages"><table id="inside"><thead><tr><th scope="col">Package</th><th scope="col">Version</th><th scope="col">Why it is there</th><th scope="col" class="number">Layer</th><th scope="col" class="number">Compressed</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

/** Why a package is in an image, in words. */
export function reasonOf(way: WayInside | undefined, kind: "root" | "external" | undefined): MarkupContent {
  if (kind === "root") return html`asked for: <code>${way?.request ?? ""}</code>`;
  const needed = way === undefined || way.through.length === 0 ? "" : `for ${way.through.join(" › ")}`;
  return kind === "external" ? `${needed}${needed === "" ? "" : "; "}the base has it` : needed;
}

/** The graph: a place for the drawing, and its edges as pairs of rows of the table. */
export function graphSection(image: CatalogueImage, graph: SpecGraph): MarkupContent {
  const inside = [...image.packages, ...image.externals].filter((hash) => graph.has(hash));
  const row = new Map(inside.map((hash, at) => [hash, at]));
  const edges = inside.flatMap((hash, from) =>
    (graph.get(hash)?.dependencies ?? []).flatMap(({ hash: to, types }) => {
      const at = row.get(to);
      if (at === undefined || !(types.has("link") || types.has("run"))) return [];
      return [[from, at, types.has("link") ? 1 : 0]];
    }),
  );
  return graphDrawing(edges);
}

/** The place for a drawing of dependencies, and what to draw: from and to which row of the table, and 1 for what is linked. */
export function graphDrawing(edges: readonly (readonly number[])[]): MarkupContent {
  return html`<div class="drawing" id="graph" hidden><div class="tools"><button type="button" data-zoom="in" aria-label="Zoom in">+</button><button type="button" data-zoom="out" aria-label="Zoom out">−</button><button type="button" data-zoom="all">Fit</button><span class="note" id="graph-note" role="status"></span></div><div class="canvas" tabindex="0" role="group" aria-label="Dependency graph: arrow keys move it, plus and minus zoom, 0 shows all of it. The table of packages says the same in words."></div></div>
<noscript><p class="note">The drawing needs JavaScript. The table above says for each package why it is there.</p></noscript>
<script type="application/json" id="edges">${jsonMarkup(edges)}</script>`;
}

/** Bytes by layer and package. */
export function layersSection(image: CatalogueImage, graph: SpecGraph): MarkupContent {
  if (image.layers.length === 0) return html`<p>The layers are known only after the container is built.</p>`;
  const whole = image.layers.reduce((sum, { size }) => sum + size, 0);
  const rows = image.layers.map(({ role, size, packages, digest }, at) => {
    const names = packages.flatMap(({ hash }) => graph.get(hash)?.name ?? []);
    const what =
      role === "base"
        ? `base: ${image.base.name}`
        : role === "top"
          ? "view, environment, loader’s cache"
          : `${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
    return html`<tr data-role="${role}"><th scope="row" class="number">${at + 1}</th><td>${what}</td><td class="number" data-bytes="${size}">${formatBytes(size)}</td><td class="number">${whole === 0 ? 0 : Math.round((1000 * size) / whole) / 10} %</td><td><code class="hash" title="${digest}">${digest.slice(7, 19)}</code></td></tr>
`;
  });
  return html`<div class="treemap" id="treemap" hidden aria-hidden="true"></div>
<div class="scroll" tabindex="0" role="region" aria-label="Table of layers"><table id="layers"><thead><tr><th scope="col" class="number">Layer</th><th scope="col">What is in it</th><th scope="col" class="number">Compressed</th><th scope="col" class="number">Part</th><th scope="col">Digest</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

/** What changed since the version before. */
export function changesText({ since, packages, base, unchanged }: ImageChanges): MarkupContent {
  if (packages.length === 0 && (base?.length ?? 0) === 0)
    return html`<p>The packages are those of ${since}.</p>`;
  return html`<p>Since ${since}: ${count(packages.length, "package")} changed, ${unchanged} did not${base !== undefined && base.length > 0 && `, ${count(base.length, "OS package")} changed`}.</p>
<ul class="changes">${[...packages, ...(base ?? [])].map((one) => html`<li>${changeText(one)}${one.why !== undefined && html` <span class="note">${one.why}</span>`}</li>`)}</ul>`;
}

/** `zlib 1.2 → 1.3`, `zlib 1.3 is new`, `zlib 1.2 is gone`. */
export function changeText({ name, before, after }: VersionChange): string {
  if (before === undefined) return `${name} ${after} is new`;
  if (after === undefined) return `${name} ${before} is gone`;
  return before === after ? `${name} ${after}, built differently` : `${name} ${before} → ${after}`;
}
