/** What `diff` draws: by how many bytes layers and packages grew or shrank. */
import type { PackageDifferences } from "../commands/explain/packageDifferences.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { type BarCanvas, type BarRow, barLegend, byteBars, type LegendPart } from "./byteBars.ts";

/** More packages are summed up in a row. */
const mostPackages = 20;

const roleNames = { base: "base", packages: "packages", top: "view and environment" } as const;

interface Growth {
  readonly label: string;
  readonly bytes: number;
}

/**
 * Bars of what changed in size: layers by what they are for, if both sides are images, and packages, the largest change first.
 *
 * @returns undefined where no change of a size is known
 */
export function diffBars(
  { added, removed, changed, layerSizes, sizesOf }: PackageDifferences,
  canvas: BarCanvas,
): string | undefined {
  const all: readonly (Omit<Growth, "bytes"> & { readonly bytes: number | undefined })[] = [
    ...added.map(({ name, version, size }) => ({ label: `${name}@${version}`, bytes: size })),
    ...removed.map(({ name, version, size }) => ({
      label: `${name}@${version}`,
      bytes: size === undefined ? undefined : -size,
    })),
    ...changed.map(({ before, after }) => ({
      label:
        before.version === after.version
          ? `${after.name}@${after.version}`
          : `${after.name} ${before.version} → ${after.version}`,
      bytes: before.size === undefined || after.size === undefined ? undefined : after.size - before.size,
    })),
  ];
  const packages = all
    .flatMap(({ label, bytes }): readonly Growth[] =>
      bytes === undefined || bytes === 0 ? [] : [{ label, bytes }],
    )
    .sort((a, b) => Math.abs(b.bytes) - Math.abs(a.bytes));
  const layers = (layerSizes ?? [])
    .map(({ role, before, after }): Growth => ({ label: roleNames[role], bytes: after - before }))
    .filter(({ bytes }) => bytes !== 0);
  if (packages.length + layers.length === 0) return undefined;
  const rest = packages.slice(mostPackages);
  const unknown = all.filter(({ bytes }) => bytes === undefined).length;
  const sum = (list: readonly Growth[]): number => list.reduce((bytes, one) => bytes + one.bytes, 0);
  const legend: readonly LegendPart[] = [
    ["full", "more"],
    ["light", "less"],
  ];
  const facts = [
    sizesOf === "layers" ? "of layers" : "of archives",
    ...(unknown === 0 ? [] : [`${unknown} of unknown size`]),
  ];
  return [
    ...(layers.length === 0
      ? []
      : [barLegend(["LAYERS", ...legend], canvas), byteBars(layers.map(row), undefined, canvas)]),
    ...(packages.length === 0
      ? []
      : [
          barLegend(["PACKAGES", ...legend, ...facts], canvas),
          byteBars(
            [
              ...packages.slice(0, mostPackages),
              ...(rest.length === 0 ? [] : [{ label: `${rest.length} more packages`, bytes: sum(rest) }]),
            ].map(row),
            undefined,
            canvas,
          ),
        ]),
  ].join("\n");
}

function row({ label, bytes }: Growth): BarRow {
  const size = Math.abs(bytes);
  return {
    label,
    bytes: size,
    text: `${bytes < 0 ? "-" : "+"}${formatBytes(size)}`,
    kind: bytes < 0 ? "light" : "full",
  };
}
