/** What `diff` says, for people. */
import { causeText, isSame, type PackageDifferences } from "../commands/explain/packageDifferences.ts";
import { differenceText, type SpecDifference } from "../commands/explain/specDifferences.ts";
import { counted } from "../util/counted.ts";
import { formatBytes } from "../util/formatBytes.ts";

const short = (hash: string): string => hash.slice(0, 7);

/** The differences, a line each: `-` removed, `+` added, `~` changed and how. */
export function diffText(differences: PackageDifferences): string {
  const { before, after, added, removed, changed, unchanged, base, imageSizes } = differences;
  const sized = (size: number | undefined): string => (size === undefined ? "" : `  ${formatBytes(size)}`);
  const lines: string[] = [`--- ${before}`, `+++ ${after}`];
  for (const { name, version, hash, size } of removed)
    lines.push(`- ${name}@${version}/${short(hash)}${sized(size)}`);
  for (const { name, version, hash, size } of added)
    lines.push(`+ ${name}@${version}/${short(hash)}${sized(size)}`);
  for (const { before: old, after: fresh, differences: all, cause } of changed) {
    const sizes =
      old.size === undefined || fresh.size === undefined ? "" : `  ${growth(fresh.size - old.size)}`;
    lines.push(
      `~ ${old.name}@${old.version}/${short(old.hash)} → ${fresh.version}/${short(fresh.hash)}${sizes}`,
    );
    const texts = [
      ...(cause !== undefined && cause.path.length > 0 ? [causeText(cause)] : []),
      ...changeTexts(all),
    ];
    for (const text of texts) lines.push(`    ${text}`);
    if (texts.length === 0) lines.push("    only the hash differs, as far as is known");
  }
  for (const { name, before: old, after: fresh } of base ?? [])
    lines.push(
      old === undefined
        ? `+ OS package ${name} ${fresh}`
        : fresh === undefined
          ? `- OS package ${name} ${old}`
          : `~ OS package ${name} ${old} → ${fresh}`,
    );
  lines.push(
    isSame(differences)
      ? `the same ${counted(unchanged, "package")}`
      : `${added.length} added, ${removed.length} removed, ${changed.length} changed, ${unchanged} unchanged`,
  );
  if (imageSizes !== undefined)
    lines.push(
      `image ${formatBytes(imageSizes.before)} → ${formatBytes(imageSizes.after)} (${growth(imageSizes.after - imageSizes.before)})`,
    );
  return lines.join("\n");
}

/** The differences in words; dependencies that differ in nothing but their hash are named together. */
function changeTexts(differences: readonly SpecDifference[]): string[] {
  const rebuilt = (kind: SpecDifference["kind"]): string[] =>
    differences.flatMap((one) => (one.kind === kind && onlyHash(one) ? (one.name ?? []) : []));
  const [dependencies, tools] = [rebuilt("dependency"), rebuilt("build")];
  return [
    ...differences.filter((one) => !onlyHash(one)).map(differenceText),
    ...(dependencies.length === 0 ? [] : [`other configurations of ${dependencies.join(", ")}`]),
    ...(tools.length === 0 ? [] : [`built with other configurations of ${tools.join(", ")}`]),
  ];
}

/** True for a dependency of the same version in another configuration. */
function onlyHash({ kind, before, after }: SpecDifference): boolean {
  if (kind !== "dependency" && kind !== "build") return false;
  const plain = (text: string | undefined): string | undefined => text?.replace(/\/[a-z2-7]{7}$/, "");
  return plain(before) === plain(after);
}

function growth(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : `+${formatBytes(bytes)}`;
}
