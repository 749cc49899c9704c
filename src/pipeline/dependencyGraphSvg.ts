/** A dependency graph as a drawing: roots on the left, what they need to the right of what needs it. */
import type { DependencyGraph, GraphNode } from "./dependencyGraph.ts";
import { isRunOnly, nodeLabels } from "./dependencyGraphText.ts";

/** Sizes in pixels. */
const box = { height: 26, padding: 10, character: 7.3, gapX: 70, gapY: 14 } as const;
const margin = 16;

/** Sweeps over the columns to bring connected boxes to similar heights. */
const sweeps = 8;

/**
 * Draws the graph in layers: a package stands one column to the right of the last one that needs it. Within columns, boxes
 * are ordered by the mean place of their neighbours (the barycentre method). The same graph gives the same text.
 */
export function svgGraph(graph: DependencyGraph): string {
  const labels = nodeLabels(graph);
  const columns = orderColumns(graph, layersOf(graph));
  const widthOf = (hash: string): number =>
    Math.ceil((labels.get(hash) ?? "").length * box.character + 2 * box.padding);
  const places = new Map<string, { readonly x: number; readonly y: number; readonly width: number }>();
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const height = tallest * (box.height + box.gapY) - box.gapY + 2 * margin;
  let x = margin;
  for (const column of columns) {
    const width = Math.max(...column.map(widthOf));
    const used = column.length * (box.height + box.gapY) - box.gapY;
    for (const [row, hash] of column.entries())
      places.set(hash, { x, y: (height - used) / 2 + row * (box.height + box.gapY), width });
    x += width + box.gapX;
  }
  const total = Math.max(x - box.gapX, margin) + margin;
  const at = (hash: string) => places.get(hash) ?? { x: 0, y: 0, width: 0 };
  const arrows = graph.edges.map((edge) => {
    const [from, to] = [at(edge.from), at(edge.to)];
    const [x1, y1] = [from.x + from.width, from.y + box.height / 2];
    const [x2, y2] = [to.x - 2, to.y + box.height / 2];
    const bend = Math.max(24, (x2 - x1) / 2);
    return `<path d="M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}"${isRunOnly(edge) ? ' class="run"' : ""}/>`;
  });
  const boxes = graph.nodes.map((node) => {
    const { x, y, width } = at(node.hash);
    const label = escaped(labels.get(node.hash) ?? "");
    return `<g class="${node.kind}"><title>${escaped(titleOf(node))}</title><rect x="${x}" y="${y}" width="${width}" height="${box.height}" rx="4"/><text x="${x + width / 2}" y="${y + box.height / 2 + 4}">${label}</text></g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total}" height="${height}" viewBox="0 0 ${total} ${height}">`,
    "<style>text{font:12px ui-monospace,monospace;text-anchor:middle;fill:#1c2733}rect{fill:#fff;stroke:#5b6b7b}.root rect{fill:#e3f0ff;stroke:#1f6feb;stroke-width:2}.external rect{fill:#f6f6f6;stroke-dasharray:4 3}path{fill:none;stroke:#5b6b7b;marker-end:url(#a)}path.run{stroke-dasharray:4 3}</style>",
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#5b6b7b;stroke:none;marker-end:none"/></marker></defs>',
    ...arrows,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}

function titleOf({ name, version, hash, kind }: GraphNode): string {
  return `${name}@${version}/${hash}${kind === "external" ? " (external)" : ""}`;
}

/** The column of every node: the length of the longest path to it. Dependencies have no cycles; where a lock lies, they end. */
function layersOf(graph: DependencyGraph): ReadonlyMap<string, number> {
  const layers = new Map<string, number>(graph.nodes.map(({ hash }) => [hash, 0]));
  for (let round = 0; round < graph.nodes.length; round++) {
    let moved = false;
    for (const { from, to } of graph.edges) {
      const least = (layers.get(from) ?? 0) + 1;
      if ((layers.get(to) ?? 0) < least) {
        layers.set(to, least);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return layers;
}

/** The columns with their nodes from top to bottom. */
function orderColumns(
  graph: DependencyGraph,
  layers: ReadonlyMap<string, number>,
): readonly (readonly string[])[] {
  const columns: string[][] = [];
  for (const { hash } of graph.nodes) {
    const layer = layers.get(hash) ?? 0;
    while (columns.length <= layer) columns.push([]);
    columns[layer]?.push(hash);
  }
  const neighbours = new Map<string, string[]>(graph.nodes.map(({ hash }) => [hash, []]));
  for (const { from, to } of graph.edges) {
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const heights = new Map<string, number>();
  const place = (column: readonly string[]): void => {
    for (const [row, hash] of column.entries()) heights.set(hash, (row + 0.5) / column.length);
  };
  for (const column of columns) place(column);
  for (let sweep = 0; sweep < sweeps; sweep++)
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const means = new Map(
        column.map((hash) => {
          const around = neighbours.get(hash) ?? [];
          const sum = around.reduce((total, other) => total + (heights.get(other) ?? 0), 0);
          return [hash, around.length === 0 ? (heights.get(hash) ?? 0) : sum / around.length];
        }),
      );
      // Stable: boxes of equal means stay in the order of their names.
      column.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0));
      place(column);
    }
  return columns.filter((column) => column.length > 0);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
