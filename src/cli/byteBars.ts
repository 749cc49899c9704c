/** Bars of bytes in a terminal: a row each, with a name, its bytes, its part of the whole and a bar. */
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { formatBytes } from "../util/formatBytes.ts";

/** How a bar is drawn: as what is there and grows, or as what is not there yet or shrinks. They differ without colour, too. */
export type BarKind = "full" | "light";

/** A row. */
export interface BarRow {
  readonly label: string;
  /** Its length; not negative. */
  readonly bytes: number;
  /** What stands for the bytes; default: the bytes. */
  readonly text?: string;
  /** Part of the row above that has none. */
  readonly isInside?: boolean;
  readonly kind: BarKind;
}

/** Where it is drawn. */
export interface BarCanvas {
  /** Columns; undefined: no terminal. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** Columns where there is no terminal, and the fewest that are drawn for. */
const columnsWithoutTerminal = 80;
const fewestColumns = 36;

const glyphs: Readonly<Record<BarKind, string>> = { full: "█", light: "░" };
const colors: Readonly<Record<BarKind, number>> = { full: 36, light: 33 };

/**
 * Draws the rows. The longest bar takes all the room that names and figures leave; each of some bytes has one cell at least.
 *
 * @param whole what the parts are of; undefined: no parts are shown
 * @returns lines without anything in them that could act on a terminal, except for the colours of the bars
 */
export function byteBars(rows: readonly BarRow[], whole: number | undefined, canvas: BarCanvas): string {
  const columns = Math.max(fewestColumns, (canvas.columns || columnsWithoutTerminal) - 1);
  const cells = rows.map(({ label, bytes, text, isInside = false }) => ({
    label: `${isInside ? "  " : ""}${escapeControlsInLine(label)}`,
    bytes: text ?? formatBytes(bytes),
    part: whole === undefined || whole === 0 ? "" : `${Math.round((100 * bytes) / whole)} %`,
  }));
  const widest = (column: "label" | "bytes" | "part"): number =>
    Math.max(0, ...cells.map((cell) => cell[column].length));
  const widths = {
    label: Math.min(widest("label"), Math.floor(columns * 0.4)),
    bytes: widest("bytes"),
    part: widest("part"),
  };
  const figures = widths.bytes + (widths.part === 0 ? 0 : widths.part + 2);
  const room = Math.max(4, columns - widths.label - figures - 4);
  const most = Math.max(1, ...rows.map(({ bytes }) => bytes));
  return rows
    .map(({ bytes, kind }, at) => {
      const { label = "", bytes: figure = "", part = "" } = cells[at] ?? {};
      const length = bytes <= 0 ? 0 : Math.max(1, Math.round((room * bytes) / most));
      const bar = glyphs[kind].repeat(length);
      const parts = [
        clipTo(label, widths.label).padEnd(widths.label),
        figure.padStart(widths.bytes),
        ...(widths.part === 0 ? [] : [part.padStart(widths.part)]),
        painted(bar, kind, canvas.color),
      ];
      return parts.join("  ").trimEnd();
    })
    .join("\n");
}

/** A part of what stands above bars: a text, or what bars of a kind mean. */
export type LegendPart = string | readonly [kind: BarKind, meaning: string];

/** What the bars are, in one line if there is room. */
export function barLegend(parts: readonly LegendPart[], { columns, color }: BarCanvas): string {
  const room = Math.max(fewestColumns, (columns || columnsWithoutTerminal) - 1);
  let [text, used] = ["", 0];
  for (const part of parts) {
    const [kind, meaning] = typeof part === "string" ? [undefined, part] : part;
    const length = meaning.length + (kind === undefined ? 0 : 2);
    const drawn = kind === undefined ? meaning : `${painted(glyphs[kind], kind, color)} ${meaning}`;
    const fits = used === 0 || used + 2 + length <= room;
    text += used === 0 ? drawn : `${fits ? "  " : "\n"}${drawn}`;
    used = used === 0 || !fits ? length : used + 2 + length;
  }
  return text;
}

function painted(text: string, kind: BarKind, color: boolean): string {
  return color && text !== "" ? `\u001b[${colors[kind]}m${text}\u001b[39m` : text;
}

function clipTo(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
