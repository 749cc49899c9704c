/** What `cache` prints for people. */
import type { ListedPackage, ListTotals } from "../commands/cache/listPackages.ts";
import { formatBytes } from "../util/formatBytes.ts";

/** Prints packages as they come, in columns that only grow wider. */
export function packageColumns(long: boolean): (packages: readonly ListedPackage[]) => string {
  const widths: number[] = [];
  return (packages) => {
    const rows = packages.map((each) => cells(each, long));
    for (const row of rows)
      for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
    return rows
      .map((row) =>
        row
          .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  };
}

function cells(one: ListedPackage, long: boolean): readonly string[] {
  const size = one.size === undefined ? "-" : formatBytes(one.size);
  return [
    `${one.name}@${one.version}`,
    long ? one.hash : one.hash.slice(0, 7),
    one.compiler ?? "-",
    `${one.os}-${one.target}`,
    size.padStart(8),
    ...(long ? [one.caches.join(" ")] : []),
    one.variants,
  ];
}

/** The last line of a listing. */
export function totalsText({ packages, bytes, caches, of }: ListTotals): string {
  const where = caches.length === 1 ? (caches[0] ?? "") : `${caches.length} caches`;
  const size = bytes === undefined || packages === 0 ? "" : `, ${formatBytes(bytes)}`;
  const part = packages === of ? `${packages}` : `${packages} of ${of}`;
  return `${part} package${of === 1 ? "" : "s"}${size} in ${where}`;
}
