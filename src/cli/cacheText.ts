/** What `cache` prints for people. */
import type { ListedKey } from "../commands/cache/listKeys.ts";
import type { ListedPackage, ListTotals } from "../commands/cache/listPackages.ts";
import type { ShownCopy, ShownDependency, ShownPackage } from "../commands/cache/showPackage.ts";
import type { VerifiedCaches } from "../commands/cache/verifyPackages.ts";
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

/** One package in full. */
export function shownText(shown: ShownPackage): string {
  const { name, version, hash, spec, compiler, builtAs, dependencies, copies } = shown;
  const lines = [
    `${name}@${version}/${hash}`,
    `  spec      ${spec}`,
    `  compiler  ${compiler ?? "none"}`,
    ...(builtAs === undefined ? [] : [`  archive   of ${builtAs.name}/${builtAs.hash} (spliced)`]),
    dependencies.length === 0 ? "  needs     nothing" : "  needs",
    ...dependencyLines(dependencies),
    copies.length === 0 ? "  no cache has it after all" : "  copies",
    ...copies.flatMap(copyLines),
  ];
  return lines.join("\n");
}

function dependencyLines(dependencies: readonly ShownDependency[]): readonly string[] {
  const rows = dependencies.map(({ name, version, hash, types, virtuals, external, caches }) => [
    version === undefined ? name : `${name}@${version}`,
    hash,
    [types.join(","), ...(virtuals.length === 0 ? [] : [`as ${virtuals.join(", ")}`])].join(" "),
    external !== undefined
      ? `of the system${external === "" ? "" : `: ${external}`}`
      : caches.length === 0
        ? "in no cache"
        : "",
  ]);
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) => `    ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ")}`.trimEnd());
}

function copyLines({
  cache,
  format,
  archive,
  digest,
  size,
  signedBy,
  prefix,
  problem,
}: ShownCopy): readonly string[] {
  const bytes = size === undefined ? "size unknown" : `${formatBytes(size)} (${size} bytes)`;
  return [
    `    ${cache}  ${format}`,
    `      archive  ${archive}`,
    `      digest   ${digest}  ${bytes}`,
    `      prefix   ${prefix ?? "the beginning of the archive does not say"}`,
    `      signed   ${signedBy === undefined ? (problem === undefined ? "not asked for: the cache is configured as unsigned" : "not by a trusted key") : `by ${signedBy}`}`,
    ...(problem === undefined ? [] : [`      refused  ${problem.code}: ${problem.message}`]),
  ];
}

/** What was verified. */
export function verifiedText(caches: VerifiedCaches["caches"], findings: number): string {
  const lines = caches.map(({ cache, packages, earlier, bytes }) => {
    const before = earlier === 0 ? "" : ` (${earlier} of them by an earlier run)`;
    return `${packages} package${packages === 1 ? "" : "s"} verified${before}, ${formatBytes(bytes)} in ${cache}`;
  });
  return [
    ...lines,
    findings === 0 ? "nothing is wrong" : `${findings} finding${findings === 1 ? "" : "s"}`,
  ].join("\n");
}

/** Keys, a line each. */
export function keysText(keys: readonly ListedKey[]): string {
  if (keys.length === 0) return "no key is published or trusted";
  const caches = [...new Set(keys.map(({ cache }) => cache))];
  return caches
    .flatMap((cache) => [
      cache,
      ...keys
        .filter((key) => key.cache === cache)
        .map(({ fingerprint, published, trusted, state, users, expires, problem }) =>
          [
            `  ${fingerprint}`,
            trusted ? "trusted" : "not trusted",
            ...(published ? [] : ["not published"]),
            ...(state === "good" ? [] : [state]),
            ...(expires === undefined ? [] : [`until ${expires.slice(0, 10)}`]),
            ...(problem === undefined ? [] : [problem]),
            users.join(", "),
          ]
            .filter((part) => part !== "")
            .join("  "),
        ),
    ])
    .join("\n");
}
