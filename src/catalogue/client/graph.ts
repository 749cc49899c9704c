import panzoom, { type PanzoomObject } from "@panzoom/panzoom";
import type { DagHash } from "../../spec/concrete.ts";
import type { DependencyGraph, GraphEdge, GraphNode } from "../graph/dependencyGraph.ts";
import { arrowHead, drawGraph } from "../graph/dependencyGraphSvg.ts";
import { byId } from "./elements.ts";
import type { InsideRow } from "./insideRows.ts";

/** How far a key moves the drawing, in pixels, and how much it zooms. */
const step = { pan: 60, zoom: 1.3 } as const;
const zoomLimits = { minScale: 0.02, maxScale: 4 } as const;

/** At a smaller scale, names cannot be read: a drawing begins with a part of it. */
const readable = 0.7;

/** Draws the dependencies when their place comes into view. */
export function startGraph(rows: readonly InsideRow[]): void {
  const place = byId("graph", HTMLElement);
  const canvas = place?.querySelector<HTMLElement>(".canvas");
  if (place === undefined || !canvas || rows.length === 0) return;
  place.hidden = false;
  const watch = new IntersectionObserver(
    (seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      draw(rows, place, canvas);
    },
    { rootMargin: "300px" },
  );
  watch.observe(place);
}

function graphOf(rows: readonly InsideRow[]): DependencyGraph {
  const nodes = rows.map(
    ({ hash, name, version, kind }): GraphNode => ({ hash: hash as DagHash, name, version, kind }),
  );
  const pairs: unknown = JSON.parse(byId("edges", HTMLScriptElement)?.textContent ?? "[]");
  const edges = (Array.isArray(pairs) ? pairs : []).flatMap((pair: unknown): readonly GraphEdge[] => {
    if (!Array.isArray(pair)) return [];
    const [from, to] = [nodes[Number(pair[0])], nodes[Number(pair[1])]];
    if (from === undefined || to === undefined) return [];
    return [{ from: from.hash, to: to.hash, types: pair[2] === 1 ? ["link"] : ["run"] }];
  });
  return { nodes, edges };
}

function draw(rows: readonly InsideRow[], place: HTMLElement, canvas: HTMLElement): void {
  const graph = graphOf(rows);
  const { width, height, arrows, boxes } = drawGraph(graph);
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  // The names in it are escaped by the drawing.
  const text = `<svg xmlns="http://www.w3.org/2000/svg" ${size} aria-hidden="true">${arrowHead}${arrows.join("")}${boxes.map(({ shape }) => shape).join("")}</svg>`;
  const svg = document.importNode(
    new DOMParser().parseFromString(text, "image/svg+xml").documentElement,
    true,
  );
  if (!(svg instanceof SVGSVGElement)) return;
  canvas.replaceChildren(svg);
  const shapes = [...svg.querySelectorAll<SVGGElement>("g")];
  const tool = panzoom(svg, { ...zoomLimits, canvas: true, cursor: "grab", origin: "0 0" });
  const showAll = (smallest = 0): void => {
    const whole = Math.min(1, canvas.clientWidth / width, canvas.clientHeight / height);
    const scale = Math.max(whole, smallest);
    tool.zoom(scale);
    tool.pan(
      // Of a large one, the roots: they are on the left, in the middle.
      scale > whole ? 0 : (canvas.clientWidth / scale - width) / 2,
      (canvas.clientHeight / scale - height) / 2,
    );
  };
  // Only after the first drawing the library knows the size.
  setTimeout(() => showAll(readable));
  canvas.addEventListener("wheel", (event) => {
    // The page scrolls, unless the drawing is meant.
    if (event.ctrlKey || event.metaKey || document.activeElement === canvas) tool.zoomWithWheel(event);
  });
  listen({ place, canvas, tool, fit: () => showAll() });
  select({ graph, rows, shapes: new Map(boxes.map(({ node }, at) => [node.hash, shapes[at]])), place, svg });
}

interface Controls {
  readonly place: HTMLElement;
  readonly canvas: HTMLElement;
  readonly tool: PanzoomObject;
  readonly fit: () => void;
}

function listen({ place, canvas, tool, fit }: Controls): void {
  const zoom = (factor: number): void => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    tool.zoomToPoint(tool.getScale() * factor, { clientX: left + width / 2, clientY: top + height / 2 });
  };
  const pan = (x: number, y: number): void => {
    tool.pan(x / tool.getScale(), y / tool.getScale(), { relative: true });
  };
  const actions: Readonly<Record<string, () => void>> = {
    "+": () => zoom(step.zoom),
    "=": () => zoom(step.zoom),
    "-": () => zoom(1 / step.zoom),
    0: fit,
    ArrowLeft: () => pan(step.pan, 0),
    ArrowRight: () => pan(-step.pan, 0),
    ArrowUp: () => pan(0, step.pan),
    ArrowDown: () => pan(0, -step.pan),
  };
  canvas.addEventListener("keydown", (event) => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  const buttons = { in: "+", out: "-", all: "0" } as const;
  for (const [name, key] of Object.entries(buttons))
    place.querySelector(`[data-zoom="${name}"]`)?.addEventListener("click", () => actions[key]?.());
}

interface Selection {
  readonly graph: DependencyGraph;
  readonly rows: readonly InsideRow[];
  readonly shapes: ReadonlyMap<string, SVGGElement | undefined>;
  readonly place: HTMLElement;
  readonly svg: SVGSVGElement;
}

/** A click on a package shows what it needs and what needs it; two go to its page. */
function select({ graph, rows, shapes, place, svg }: Selection): void {
  const note = place.querySelector("#graph-note");
  let chosen: string | undefined;
  const choose = (hash: string | undefined): void => {
    chosen = hash;
    const needs = graph.edges.filter(({ from }) => from === hash).map(({ to }) => to as string);
    const needed = graph.edges.filter(({ to }) => to === hash).map(({ from }) => from as string);
    const near = new Set([hash, ...needs, ...needed]);
    svg.classList.toggle("chosen", hash !== undefined);
    for (const [other, shape] of shapes) shape?.classList.toggle("near", near.has(other));
    const name = rows.find((row) => row.hash === hash)?.name;
    if (note !== null)
      note.textContent =
        name === undefined ? "" : `${name}: needs ${needs.length}, needed by ${needed.length}`;
  };
  for (const [hash, shape] of shapes) {
    let down: readonly [number, number] = [0, 0];
    shape?.addEventListener("pointerdown", ({ clientX, clientY }) => {
      down = [clientX, clientY];
    });
    shape?.addEventListener("click", ({ clientX, clientY }) => {
      // What was dragged was not meant.
      if (Math.hypot(clientX - down[0], clientY - down[1]) > 5) return;
      if (chosen !== hash) choose(hash);
      else choose(undefined);
    });
    shape?.addEventListener("dblclick", () => {
      const href = rows.find((row) => row.hash === hash)?.href;
      if (href !== undefined) location.assign(href);
    });
  }
}
