import { hierarchy, treemap, treemapSquarify } from "d3-hierarchy";
import { formatBytes } from "../../util/formatBytes.ts";
import { byId, element } from "./elements.ts";
import type { InsideRow } from "./insideRows.ts";

/** A part of the image: the whole, a layer, or a package. */
interface Part {
  readonly label: string;
  readonly bytes: number;
  readonly href?: string;
  readonly role?: string;
  readonly parts?: readonly Part[];
}

/** Draws bytes by layer and package, from the tables of the page; again when the page gets another width. */
export function startTreemap(rows: readonly InsideRow[]): void {
  const place = byId("treemap", HTMLElement);
  const layers = [...document.querySelectorAll<HTMLTableRowElement>("#layers tbody tr")];
  if (place === undefined || layers.length === 0) return;
  const whole: Part = { label: "", bytes: 0, parts: layers.map((row, at) => layerPart(row, at + 1, rows)) };
  place.hidden = false;
  let width = 0;
  const draw = (): void => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    place.replaceChildren(...tiles(whole, width, place.clientHeight));
  };
  draw();
  new ResizeObserver(draw).observe(place);
}

function layerPart(row: HTMLTableRowElement, layer: number, rows: readonly InsideRow[]): Part {
  const bytes = Number(row.querySelector<HTMLElement>("[data-bytes]")?.dataset.bytes ?? 0);
  const inside = rows.filter((one) => one.layer === layer && (one.bytes ?? 0) > 0);
  const what = row.cells[1]?.textContent ?? "";
  const role = row.dataset.role ?? "packages";
  const label = `Layer ${layer}: ${what}`;
  if (inside.length === 0) return { label, bytes, role };
  return {
    label,
    bytes: 0,
    role,
    parts: inside.map(({ name, version, bytes: own, href }) => ({
      label: `${name} ${version}`,
      bytes: own ?? 0,
      href,
      role,
    })),
  };
}

function tiles(whole: Part, width: number, height: number): readonly HTMLElement[] {
  const root = hierarchy<Part>(whole, ({ parts }) => parts)
    .sum(({ bytes }) => bytes)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const laid = treemap<Part>().size([width, height]).tile(treemapSquarify).paddingInner(2).round(true)(root);
  return laid.leaves().map((leaf) => {
    const { label, href, role = "packages" } = leaf.data;
    const [wide, tall] = [leaf.x1 - leaf.x0, leaf.y1 - leaf.y0];
    const size = formatBytes(leaf.value ?? 0);
    const attributes = { class: `tile ${role}`, title: `${label}, ${size}` };
    const fits = wide > 46 && tall > 18;
    const inside = fits ? [element("b", {}, label), ...(tall > 36 ? [element("span", {}, size)] : [])] : [];
    const tile =
      href === undefined
        ? element("div", attributes, ...inside)
        : element("a", { ...attributes, href, tabindex: "-1" }, ...inside);
    Object.assign(tile.style, {
      left: `${leaf.x0}px`,
      top: `${leaf.y0}px`,
      width: `${wide}px`,
      height: `${tall}px`,
    });
    return tile;
  });
}
