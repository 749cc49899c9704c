/** A dependency graph as a drawing: roots on the left, what they need to the right of what needs it. */
import type { DependencyGraph, GraphNode } from "./dependencyGraph.ts";
import { isRunOnly, nodeLabels } from "./dependencyGraphText.ts";

/** Sizes in pixels. */
const box = { height: 26, padding: 10, character: 7.3, gapX: 70, gapY: 14 } as const;
const margin = 16;
/** Height of the place where an arrow passes a column. */
const passHeight = 4;

/** Sweeps over the columns to bring connected items to similar heights. */
const sweeps = 8;

/** What stands in a column: a box, or an arrow on its way to one further right. */
interface Item {
  readonly id: string;
  readonly column: number;
  readonly height: number;
  readonly node: GraphNode | undefined;
}

/** One piece of an arrow, from column to column. */
interface Segment {
  readonly from: string;
  readonly to: string;
  readonly run: boolean;
  /** True for the piece that reaches the box. */
  readonly last: boolean;
}

/** A drawing without its frame: shapes as SVG. */
export interface GraphDrawing {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly arrows: readonly string[];
  readonly boxes: readonly { readonly node: GraphNode; readonly shape: string }[];
}

/** The head of an arrow, which the shapes refer to. */
export const arrowHead =
  '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>';

/**
 * Draws the graph in layers: a package stands one column to the right of the last one that needs it. Arrows to one package
 * share their way through the columns between. Within columns, items are ordered by the mean place of their neighbours (the
 * barycentre method). The same graph gives the same text.
 */
export function drawGraph(graph: DependencyGraph): GraphDrawing {
  const labels = nodeLabels(graph);
  const { items, segments } = layOut(graph);
  const columns = orderColumns(items, segments);
  const widthOf = ({ node }: Item): number =>
    node === undefined
      ? 0
      : Math.ceil((labels.get(node.hash) ?? "").length * box.character + 2 * box.padding);
  const heightOf = (column: readonly Item[]): number =>
    column.reduce((sum, item) => sum + item.height + box.gapY, -box.gapY);
  const height = Math.max(box.height, ...columns.map(heightOf)) + 2 * margin;
  const places = new Map<string, { readonly x: number; readonly y: number; readonly width: number }>();
  let x = margin;
  for (const column of columns) {
    const width = Math.max(0, ...column.map(widthOf));
    let y = (height - heightOf(column)) / 2;
    for (const item of column) {
      places.set(item.id, { x, y, width });
      y += item.height + box.gapY;
    }
    x += width + box.gapX;
  }
  const total = Math.max(x - box.gapX, margin) + margin;
  const at = (id: string) => places.get(id) ?? { x: 0, y: 0, width: 0 };
  const middles = new Map(items.map(({ id, height: tall }) => [id, at(id).y + tall / 2]));
  const passes = new Set(items.flatMap(({ id, node }) => (node === undefined ? [id] : [])));
  const arrows = segments.map(({ from, to, run, last }) => {
    const [start, end] = [at(from), at(to)];
    const [x1, y1] = [start.x + start.width, middles.get(from) ?? 0];
    const [x2, y2] = [end.x - (last ? 2 : 0), middles.get(to) ?? 0];
    const half = (x2 - x1) / 2;
    // Through the columns between, straight.
    const through = passes.has(to) ? `H${end.x + end.width}` : "";
    const classes = [...(run ? ["run"] : []), ...(last ? [] : ["way"])].join(" ");
    return `<path d="M${x1} ${y1}C${x1 + half} ${y1} ${x2 - half} ${y2} ${x2} ${y2}${through}"${classes === "" ? "" : ` class="${classes}"`}/>`;
  });
  const boxes = items.flatMap(({ id, node }) => {
    if (node === undefined) return [];
    const { x, y, width } = at(id);
    const label = escaped(labels.get(node.hash) ?? "");
    const shape = `<g class="${node.kind}"><title>${escaped(titleOf(node))}</title><rect x="${x}" y="${y}" width="${width}" height="${box.height}" rx="4"/><text x="${x + width / 2}" y="${y + box.height / 2 + 4}">${label}</text></g>`;
    return [{ node, shape }];
  });
  return { width: total, height, arrows, boxes };
}

/** The drawing of a graph as a file. */
export function svgGraph(graph: DependencyGraph): string {
  const { width, height, arrows, boxes } = drawGraph(graph);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    "<style>text{font:12px ui-monospace,monospace;text-anchor:middle;fill:#1c2733}rect{fill:#fff;stroke:#5b6b7b}.root rect{fill:#e3f0ff;stroke:#1f6feb;stroke-width:2}.external rect{fill:#f6f6f6;stroke-dasharray:4 3}path{fill:none;stroke:#5b6b7b;marker-end:url(#a)}path.way,path.head{marker-end:none}path.head{fill:#5b6b7b;stroke:none}path.run{stroke-dasharray:4 3}</style>",
    arrowHead,
    ...arrows,
    ...boxes.map(({ shape }) => shape),
    "</svg>",
    "",
  ].join("\n");
}

function titleOf({ name, version, hash, kind }: GraphNode): string {
  return `${name}@${version}/${hash}${kind === "external" ? " (external)" : ""}`;
}

/** Boxes in columns, and the pieces of the arrows between them. */
function layOut(graph: DependencyGraph): {
  readonly items: readonly Item[];
  readonly segments: readonly Segment[];
} {
  const layers = layersOf(graph);
  const layerOf = (hash: string): number => layers.get(hash) ?? 0;
  const items = new Map<string, Item>(
    graph.nodes.map((node) => [
      node.hash,
      { id: node.hash, column: layerOf(node.hash), height: box.height, node },
    ]),
  );
  const segments = new Map<string, Segment>();
  for (const edge of graph.edges) {
    const run = isRunOnly(edge);
    let from: string = edge.from;
    for (let column = layerOf(edge.from) + 1; column <= layerOf(edge.to); column++) {
      const last = column === layerOf(edge.to);
      const to = last ? edge.to : `${edge.to} ${column}${run ? " run" : ""}`;
      if (!items.has(to)) items.set(to, { id: to, column, height: passHeight, node: undefined });
      segments.set(`${from} > ${to}${run ? " run" : ""}`, { from, to, run, last });
      from = to;
    }
  }
  return { items: [...items.values()], segments: [...segments.values()] };
}

/** The column of every node: the length of the longest path to it. */
function layersOf(graph: DependencyGraph): ReadonlyMap<string, number> {
  const layers = new Map<string, number>(graph.nodes.map(({ hash }) => [hash, 0]));
  // No path is longer than there are nodes: a lock with a cycle, which is none, ends here too.
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

/** The columns with their items from top to bottom. */
function orderColumns(items: readonly Item[], segments: readonly Segment[]): readonly (readonly Item[])[] {
  const columns: Item[][] = [];
  for (const item of items) {
    while (columns.length <= item.column) columns.push([]);
    columns[item.column]?.push(item);
  }
  const neighbours = new Map<string, string[]>(items.map(({ id }) => [id, []]));
  for (const { from, to } of segments) {
    neighbours.get(from)?.push(to);
    neighbours.get(to)?.push(from);
  }
  const heights = new Map<string, number>();
  const place = (column: readonly Item[]): void => {
    for (const [row, { id }] of column.entries()) heights.set(id, (row + 0.5) / column.length);
  };
  for (const column of columns) place(column);
  for (let sweep = 0; sweep < sweeps; sweep++)
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const means = new Map(
        column.map(({ id }) => {
          const around = neighbours.get(id) ?? [];
          const sum = around.reduce((total, other) => total + (heights.get(other) ?? 0), 0);
          return [id, around.length === 0 ? (heights.get(id) ?? 0) : sum / around.length];
        }),
      );
      // Stable: items of equal means stay in the order in which they came.
      column.sort((a, b) => (means.get(a.id) ?? 0) - (means.get(b.id) ?? 0));
      place(column);
    }
  return columns.filter((column) => column.length > 0);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
