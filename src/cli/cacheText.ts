/** What `cache` prints for people. */
import type { CopyReport } from "../commands/cache/copyPackages.ts";
import type { ListedKey } from "../commands/cache/listKeys.ts";
import type { ListedPackage, ListTotals } from "../commands/cache/listPackages.ts";
import type { PruneAnnouncement, PrunedPackage, PruneOutcome } from "../commands/cache/pruneCaches.ts";
import type { RebuiltIndexes } from "../commands/cache/rebuildIndexes.ts";
import type { ShownCopy, ShownDependency, ShownPackage } from "../commands/cache/showPackage.ts";
import type { VerifiedCaches } from "../commands/cache/verifyPackages.ts";
import { counted } from "../util/counted.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { table } from "./table.ts";

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

/** What was copied. */
export function copyText({ from, to, packages, signedBy, missing }: CopyReport): string {
  const count = (outcome: CopyReport["packages"][number]["outcome"]) =>
    packages.filter((one) => one.outcome === outcome);
  const bytes = (some: CopyReport["packages"]) =>
    formatBytes(some.reduce((sum, { size }) => sum + (size ?? 0), 0));
  const would = count("copy");
  const copied = count("copied");
  const present = count("present");
  const signed = signedBy === undefined ? "unsigned" : `signed by ${signedBy}`;
  return [
    ...would.map(
      ({ name, version, hash, size }) =>
        `${name}@${version}/${hash.slice(0, 7)}  ${size === undefined ? "-" : formatBytes(size)}`,
    ),
    would.length > 0
      ? `${counted(would.length, "package")}, ${bytes(would)}, would be copied from ${from} to ${to}`
      : `${counted(copied.length, "package")}, ${bytes(copied)}, copied from ${from} to ${to}, ${signed}`,
    ...(present.length === 0
      ? []
      : [`${present.length} ${present.length === 1 ? "was" : "were"} there already`]),
    ...(missing.length === 0 ? [] : [`build dependencies that ${from} does not have: ${missing.join(", ")}`]),
  ].join("\n");
}

/** Indexes that were made. */
export function indexText(caches: readonly RebuiltIndexes[]): string {
  return caches
    .flatMap(({ cache, indexes }) =>
      indexes.length === 0
        ? [`${cache}  there is nothing to list`]
        : indexes.map(
            ({ format, packages, added, removed }) =>
              `${cache}  ${format}  ${counted(packages, "package")}: ${added} new in the index, ${removed} gone from it`,
          ),
    )
    .join("\n");
}

/** What is to go and to stay. */
export function prunePlanText({ needs, caches }: PruneAnnouncement): string {
  const lines = needs.map(({ label, packages }) => `${label}  names ${counted(packages, "package")}`);
  for (const { cache, keep, remove, orphans, bytes } of caches) {
    lines.push("", `${cache}`);
    if (remove.length > 0)
      lines.push(
        table(
          ["PACKAGE", "SIZE", "WRITTEN", "FORMAT"],
          remove.map((one) => [
            packageName(one),
            one.size === undefined ? "-" : formatBytes(one.size),
            one.modified?.slice(0, 16).replace("T", " ") ?? "-",
            one.format,
          ]),
        ),
      );
    const why = { named: 0, dependency: 0, young: 0, "age-unknown": 0 };
    for (const { reason } of keep) if (reason !== undefined) why[reason.kind]++;
    lines.push(
      remove.length + orphans.length === 0
        ? "nothing to remove"
        : `${counted(remove.length, "package")} that nothing named needs and ${counted(orphans.length, "stray file")} can go: ${formatBytes(bytes)}`,
      `${counted(keep.length, "package")} ${keep.length === 1 ? "stays" : "stay"}: ${why.named} named, ${why.dependency} needed by what stays, ${why.young} young, ${why["age-unknown"]} without an age`,
    );
  }
  return lines.join("\n").trimStart();
}

function packageName({ name, version, hash }: PrunedPackage): string {
  return name === undefined ? `cannot be read: ${hash}` : `${name}@${version}/${hash.slice(0, 7)}`;
}

/** What was removed. */
export function pruneOutcomeText(outcomes: readonly PruneOutcome[]): string {
  return outcomes
    .map(({ cache, removed, spared, orphans, bytes }) => {
      const kept =
        spared === 0
          ? ""
          : `; ${spared} ${spared === 1 ? "was" : "were"} spared, because something needs them now`;
      return `${counted(removed, "package")} and ${counted(orphans, "file")} removed from ${cache}, ${formatBytes(bytes)}${kept}`;
    })
    .join("\n");
}
