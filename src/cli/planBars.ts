/** What `plan` draws: bytes by layer and package. */
import type { LayerReport, PackageReport, PlanReport } from "../commands/plan/planReport.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { type BarCanvas, type BarRow, barLegend, byteBars, type LegendPart } from "./byteBars.ts";

/** More layers, and more packages of one layer, are summed up in a row. */
const mostLayers = 16;
const mostPackages = 8;

/** Bytes, and whether they are those of a layer or, before it is made, of archives. */
interface Weight {
  readonly bytes: number;
  readonly isMade: boolean;
}

/**
 * Bars of the base and of each layer of packages, the largest first, and below a layer that several packages share, of these.
 * What is made has its compressed bytes; the rest those of its archives.
 *
 * @returns undefined where no size is known
 */
export function planBars({ base, layers }: PlanReport, canvas: BarCanvas): string | undefined {
  const known = layers
    .flatMap((layer) => {
      const weight = weightOfLayer(layer);
      return weight === undefined ? [] : [{ layer, weight }];
    })
    .sort((a, b) => b.weight.bytes - a.weight.bytes);
  const ofBase: Weight | undefined =
    base.size !== undefined && base.size > 0
      ? { bytes: base.size, isMade: true }
      : base.download !== undefined && base.download > 0
        ? { bytes: base.download, isMade: false }
        : undefined;
  const whole = (ofBase?.bytes ?? 0) + known.reduce((sum, { weight }) => sum + weight.bytes, 0);
  if (whole === 0) return undefined;
  const rest = known.slice(mostLayers);
  const rows: readonly BarRow[] = [
    ...(ofBase === undefined ? [] : [row("base", ofBase)]),
    ...known.slice(0, mostLayers).flatMap(({ layer, weight }) => layerRows(layer, weight)),
    ...(rest.length === 0
      ? []
      : [row(`${rest.length} more layers`, sumOf(rest.map(({ weight }) => weight)))]),
  ];
  const unknown = layers.length - known.length + (base.size === undefined && ofBase === undefined ? 1 : 0);
  const facts: readonly LegendPart[] = [
    `${formatBytes(whole)} in all`,
    ...(rows.some(({ kind }) => kind === "full") ? [["full", "compressed"] as const] : []),
    ...(rows.some(({ kind }) => kind === "light") ? [["light", "archives, not installed yet"] as const] : []),
    ...(unknown === 0 ? [] : [`${unknown} of a size that is not known yet`]),
  ];
  return `${barLegend(facts, canvas)}\n${byteBars(rows, whole, canvas)}`;
}

function row(label: string, { bytes, isMade }: Weight, isInside = false): BarRow {
  return { label, bytes, isInside, kind: isMade ? "full" : "light" };
}

function layerRows(layer: LayerReport, weight: Weight): readonly BarRow[] {
  const [first] = layer.packages;
  if (layer.packages.length < 2) return [row(first === undefined ? "an empty layer" : nameOf(first), weight)];
  const packages = layer.packages
    .flatMap((one) => {
      const known = weightOf(one);
      return known === undefined ? [] : [{ one, known }];
    })
    .sort((a, b) => b.known.bytes - a.known.bytes);
  const rest = packages.slice(mostPackages);
  return [
    row(`${layer.packages.length} packages in a layer`, weight),
    ...packages.slice(0, mostPackages).map(({ one, known }) => row(nameOf(one), known, true)),
    ...(rest.length === 0 ? [] : [row(`${rest.length} more`, sumOf(rest.map(({ known }) => known)), true)]),
  ];
}

const nameOf = ({ name, version }: PackageReport): string => `${name}@${version}`;

function weightOfLayer({ size, packages }: LayerReport): Weight | undefined {
  if (size !== undefined) return { bytes: size, isMade: true };
  const weights = packages.flatMap((one) => weightOf(one) ?? []);
  return weights.length === 0 ? undefined : sumOf(weights);
}

function weightOf({ size, archive }: PackageReport): Weight | undefined {
  if (size !== undefined) return { bytes: size, isMade: true };
  return archive.size === undefined ? undefined : { bytes: archive.size, isMade: false };
}

function sumOf(weights: readonly Weight[]): Weight {
  return {
    bytes: weights.reduce((sum, { bytes }) => sum + bytes, 0),
    isMade: weights.every(({ isMade }) => isMade),
  };
}
