/** What `explain` says, for people. */

import type { PathStep } from "../catalogue/graph/dependencyGraph.ts";
import type { AffectedContainers } from "../commands/explain/affectedContainers.ts";
import type { ExplainedAlternative, PackageExplanation } from "../commands/explain/explainPackage.ts";
import type { ContainerExplanation } from "../commands/explain/explainPackages.ts";
import { formatBytes } from "../util/formatBytes.ts";
import { table } from "./table.ts";

const short = (hash: string): string => hash.slice(0, 7);
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");

/** A container as a whole: roots, packages, externals. */
export function overviewText(container: ContainerExplanation): string {
  const from = {
    lock: "as locked",
    caches: "as the caches have it now",
    image: "by the lock inside",
  }[container.origin];
  const rows = container.packages.map(({ name, version, hash, size, cache, roots }) => [
    `${name}@${version}`,
    short(hash),
    size === undefined ? "-" : formatBytes(size),
    `${roots} of ${container.roots.length}`,
    cache ?? "in no cache",
  ]);
  const total = container.packages.reduce((sum, { size }) => sum + (size ?? 0), 0);
  return [
    `${container.name} ${container.arch}, ${from}: ${plural(container.packages.length, "package")}, ${formatBytes(total)} of archives`,
    "",
    table(
      ["SPEC", "IS"],
      container.roots.map(({ request, name, version, hash }) => [
        request,
        `${name}@${version}/${short(hash)}`,
      ]),
    ),
    "",
    table(["PACKAGE", "HASH", "ARCHIVE", "NEEDED BY", "CACHE"], rows),
    ...(container.externals.length === 0
      ? []
      : [
          "",
          `the base must have: ${container.externals.map(({ name, version, path }) => `${name}@${version}${path === undefined ? "" : ` (${path})`}`).join(", ")}`,
        ]),
    ...(container.buildOnly.length === 0
      ? []
      : ["", `only needed to build, not in the image: ${container.buildOnly.join(", ")}`]),
    ...container.problems.flatMap(({ code, message, hint }) => [
      "",
      `if chosen now, this would not be available: ${code}  ${message}${hint === undefined ? "" : `\n  hint: ${hint}`}`,
    ]),
  ].join("\n");
}

const roles: Readonly<Record<PackageExplanation["role"], string>> = {
  root: "asked for",
  dependency: "needed at run time",
  external: "external: the base must have it",
  build: "only needed to build: it is not in the image",
};

/** One package: why it is there, and why in this configuration. */
export function packageText(explained: PackageExplanation): string {
  const { name, version, hash, role, size, requests } = explained;
  const asked = requests.length === 0 ? "" : ` as ${requests.map((text) => `\`${text}\``).join(", ")}`;
  const archive = size === undefined ? "" : `, archive of ${formatBytes(size)}`;
  return [
    `${name}@${version}/${short(hash)}  ${roles[role]}${asked}${archive}`,
    `  ${explained.spec}`,
    ...section("Why it is there", explained.paths.map(pathText)),
    ...section("Where it comes from", originLines(explained)),
    ...section("Why this configuration", alternativeLines(explained)),
  ].join("\n");
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...lines.map(indented)];
}

/** `ring@2.1.0 -link,run-> mpich@4.0.2 -link-> hwloc@2.9.0`. */
function pathText(path: readonly PathStep[]): string {
  return path
    .map(({ name, version, types }) =>
      types.length === 0 ? `${name}@${version}` : `${name}@${version} -${types.join(",")}-> `,
    )
    .join("");
}

function originLines({ cache, missing, nearest, chosenNow, inImage, name }: PackageExplanation): string[] {
  const lines: string[] = [];
  if (cache !== undefined) lines.push(cache);
  if (missing !== undefined) lines.push(`it is not available: ${missing.code}  ${missing.message}`);
  if (nearest !== undefined)
    lines.push(
      `the most similar one that is available is ${name}@${nearest.version}/${short(nearest.hash)}: ${nearest.text}`,
    );
  else if (missing !== undefined) lines.push("no other configuration of it is available");
  if (chosenNow !== undefined)
    lines.push(
      `if chosen now, it would be ${name}@${chosenNow.version}/${short(chosenNow.hash)}: ${chosenNow.text}`,
    );
  if (inImage !== undefined)
    lines.push(
      `the image built before has ${name}@${inImage.version}/${short(inImage.hash)}, so it is made again: ${inImage.text}`,
    );
  return lines;
}

/** How many configurations are shown one by one. */
const mostShown = 12;

function alternativeLines({ alternatives, undetermined, chosenNow }: PackageExplanation): string[] {
  const lines = alternativesText(alternatives, chosenNow === undefined ? "taken" : "would be taken now");
  if (undetermined.length > 0)
    lines.push(
      `only its recipe knows the default of ${undetermined.join(", ")}: caches cannot tell which one Spack would take`,
    );
  return lines;
}

/** Configurations in the caches, those with the same reason together. */
export function alternativesText(alternatives: readonly ExplainedAlternative[], taken = "taken"): string[] {
  const reasons = new Map<string, ExplainedAlternative[]>();
  for (const one of alternatives) {
    const key = one.verdict === "chosen" ? "" : one.text;
    reasons.set(key, [...(reasons.get(key) ?? []), one]);
  }
  const groups = [...reasons].sort(([a], [b]) => Number(a !== "") - Number(b !== ""));
  const shown = groups.slice(0, mostShown).map(([text, members]) => {
    const names = members.slice(0, 4).map(({ version, hash }) => `${version}/${short(hash)}`);
    const more = members.length > names.length ? `, and ${members.length - names.length} more` : "";
    return `${names.join(", ")}${more}: ${text === "" ? taken : text}`;
  });
  const left = groups.slice(mostShown).reduce((sum, [, members]) => sum + members.length, 0);
  return left === 0 ? shown : [...shown, `and ${left} more; --json shows all`];
}

/** A package that the container does not have. */
export function absentText({ name, alternatives }: ContainerExplanation["absent"][number]): string {
  return [
    `${name} is not in the container`,
    ...section("What the caches have", alternativesText(alternatives)),
  ].join("\n");
}

/** Which containers have a package. */
export function affectedText({ containers, checked, failed }: AffectedContainers): string {
  const rows = containers.flatMap(({ name, arch, packages }) =>
    packages.map((one) => [
      name,
      arch,
      `${one.name}@${one.version}/${short(one.hash)}`,
      one.roots.join(", ") || "-",
    ]),
  );
  return [
    `${containers.length} of ${plural(checked, "container")}`,
    ...(rows.length === 0 ? [] : ["", table(["CONTAINER", "ARCH", "PACKAGE", "BECAUSE OF"], rows)]),
    ...failed.map(
      ({ name, arch, message }) =>
        `${name}${arch === undefined ? "" : ` (${arch})`} could not be resolved: ${message}`,
    ),
  ].join("\n");
}
