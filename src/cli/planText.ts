/** What `plan` says, for people. */
import type { BuildPlanReport } from "../commands/plan/planBuild.ts";
import type { PushReport } from "../commands/plan/planPush.ts";
import type { LayerReport, PackageReport, PlanReport } from "../commands/plan/planReport.ts";
import { formatBytes, formatDuration } from "../util/formatBytes.ts";
import { table } from "./table.ts";

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");

/** Most names that one line lists. */
const namesInLine = 4;

/** The plan of one container: its sum first, then what is to be made, a layer a line, and why. */
export function planText(plan: PlanReport): string {
  const { layers, base } = plan;
  const packages = layers.reduce((sum, layer) => sum + layer.packages.length, 0);
  const head = `${plan.name} ${plan.version} ${plan.arch}  ${plural(packages, "package")} in ${plural(layers.length, "layer")} on ${base.name}`;
  const push = (plan.push ?? []).map((one) => ["push", pushText(one)]);
  if (plan.upToDate)
    return [`${head}  (up to date)`, ...push.map((cells) => indented(table(cells, [])))].join("\n");
  const toMake = layers.filter(({ whereabouts }) => whereabouts !== "local");
  const rows = toMake.map((layer) => ["+", layerName(layer), layerBytes(layer), layerReason(layer)]);
  return [
    head,
    indented(
      table(
        ["base", baseText(base)],
        [
          ["layers", layersText(layers, toMake.length)],
          ["download", downloadText(plan)],
          ["install", installText(plan)],
          ...(plan.epilogue === undefined ? [] : [["epilogue", epilogueText(plan.epilogue)]]),
          ...push,
        ],
      ),
    ),
    ...(rows.length === 0 ? [] : [indented(table(["", "TO MAKE", "ARCHIVES", "WHY"], rows))]),
    ...plan.removed.map(({ name, version }) => `  - ${name}@${version}`),
  ].join("\n");
}

function epilogueText({ layers, commands, network }: NonNullable<PlanReport["epilogue"]>): string {
  const ran =
    commands === 0 ? "" : `, ${plural(commands, "command")} ${network ? "with" : "without"} network`;
  return `at most ${plural(layers, "layer")}${ran}`;
}

/** What has to be built before there can be an image. */
export function buildPlanText({ name, arch, build }: BuildPlanReport): string {
  const { packages, known, seconds, criticalPath, atOnce, executor, fetched } = build;
  const time =
    seconds === undefined
      ? known === 0
        ? "the time is not known yet"
        : `the time is known of only ${known}`
      : `about ${formatDuration(seconds * 1000)}${known < packages.length ? ` (known of ${known})` : ""}`;
  const rows = packages.map((one) => [
    "+",
    one.package,
    one.seconds === undefined ? "" : formatDuration(one.seconds * 1000),
    one.memory === undefined ? "" : formatBytes(one.memory),
    one.buildOnly ? "only to build others" : "",
  ]);
  const most = Math.max(0, ...packages.map(({ memory }) => memory ?? 0));
  const facts: string[][] = [
    ...(most === 0 ? [] : [["memory", `at most ${formatBytes(most)} for one package`]]),
    ...(criticalPath.length < 2 ? [] : [["longest", criticalPath.join(" → ")]]),
    ...(fetched === 0 ? [] : [["needs", `${plural(fetched, "package")} of caches to build with`]]),
  ];
  return [
    `${name} ${arch}  ${plural(packages.length, "package")} to build, ${time}`,
    indented(
      table(
        [
          "by",
          executor === "slurm" && atOnce >= packages.length
            ? "slurm, one job per package"
            : `${executor}, at most ${atOnce} at a time`,
        ],
        facts,
      ),
    ),
    indented(table(["", "TO BUILD", "TIME", "MEMORY", "WHY"], rows)),
  ].join("\n");
}

/** What several plans come to: an archive that two of them need is moved once. */
export function planTotalText(plans: readonly PlanReport[]): string {
  const packages = plans.flatMap(({ layers }) => layers.flatMap((layer) => layer.packages));
  const missing = new Map(
    packages
      .filter(({ whereabouts }) => whereabouts === "to make")
      .map((one) => [one.archive.digest, one.archive]),
  );
  const wanted = [...missing.values()].filter(({ local }) => !local);
  const bytes = wanted.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const current = plans.filter(({ upToDate }) => upToDate).length;
  return `${plural(plans.length, "container")}, ${current} up to date: ${plural(wanted.length, "archive")} to download (${formatBytes(bytes)}), ${plural(missing.size, "package")} to install`;
}

function baseText(base: PlanReport["base"]): string {
  const size = base.size === undefined ? "" : `, ${formatBytes(base.size)}`;
  if (base.whereabouts === "local") return `here: ${plural(base.layers, "layer")}${size}`;
  const download =
    base.download === undefined || base.download === 0
      ? ""
      : `, at most ${formatBytes(base.download)} of OS packages to download`;
  const published = base.whereabouts === "registry" ? "published; for a build " : "";
  return `${published}to make${download}`;
}

/** What a push to one registry would do. */
function pushText({ repository, tags, upToDate, error, layers, bytes, unknown }: PushReport): string {
  const head = `${repository}:${tags.join(",")}`;
  if (error !== undefined) return `${head}  cannot be reached`;
  if (upToDate) return `${head}  up to date`;
  const sizes = [
    ...(bytes === 0 ? [] : [formatBytes(bytes)]),
    ...(unknown === 0 ? [] : [`${unknown} of a size that is not known yet`]),
  ];
  const sent = `${plural(layers.sent, "layer")} to send${sizes.length === 0 ? "" : ` (${sizes.join(", ")})`}`;
  const mounted = layers.mounted === 0 ? [] : [`${layers.mounted} in another repository of it`];
  return [`${head}  ${layers.there} there`, ...mounted, sent].join(", ");
}

function layersText(layers: readonly LayerReport[], toMake: number): string {
  const here = layers.filter(({ whereabouts }) => whereabouts === "local");
  const known = here.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const published = layers.filter(({ whereabouts }) => whereabouts === "registry").length;
  const shared = layers.filter(({ packages }) => packages.length > 1);
  const together = shared.reduce((sum, { packages }) => sum + packages.length, 0);
  return [
    `${here.length} here${here.length === 0 ? "" : ` (${formatBytes(known)})`}`,
    `${toMake} to make${published === 0 ? "" : ` (${published} of them published: push refers to these)`}, and one with the view and the environment`,
    ...(shared.length === 0 ? [] : [`${together} packages share ${shared.length} of them`]),
  ].join("; ");
}

function downloadText({ download }: PlanReport): string {
  if (download.archives === 0) return "nothing";
  const unknown = download.unknown === 0 ? "" : `, ${download.unknown} of unknown size`;
  return `${plural(download.archives, "archive")}, ${formatBytes(download.bytes)}${unknown}`;
}

function installText({ install }: PlanReport): string {
  if (install.packages === 0) return "nothing";
  return `${plural(install.packages, "package")}, ${formatBytes(install.bytes)} of archives`;
}

function layerName({ packages }: LayerReport): string {
  const shown = packages.slice(0, namesInLine).map(({ name, version }) => `${name}@${version}`);
  const more = packages.length - shown.length;
  return `${shown.join(" ")}${more === 0 ? "" : ` and ${more} more`}`;
}

/** Bytes of the archives that are to be installed for a layer. */
function layerBytes({ packages }: LayerReport): string {
  const missing = packages.filter(({ whereabouts }) => whereabouts === "to make");
  const known = missing.reduce((sum, { archive }) => sum + (archive.size ?? 0), 0);
  return known === 0 ? "-" : formatBytes(known);
}

/** Why a layer is made. */
function layerReason({ packages, inImage, whereabouts }: LayerReport): string {
  const missing = packages.filter(({ whereabouts }) => whereabouts === "to make");
  if (whereabouts === "registry") return "for a build: published, not here";
  if (packages.some(({ change }) => change === undefined))
    return missing.length === 0
      ? "its packages are here, not yet as one layer"
      : packages.length === 1
        ? "not made on this machine yet"
        : `${missing.length} of ${packages.length} packages not made on this machine yet`;
  const changed = packages.filter(({ change }) => change?.kind !== "same");
  if (changed.length > 0) {
    const texts = changed.slice(0, namesInLine).map((one) => changeText(one, packages.length > 1));
    return `${texts.join(", ")}${changed.length > namesInLine ? ` and ${changed.length - namesInLine} more` : ""}`;
  }
  if (inImage) return "unchanged, but no longer kept on this machine";
  return "the same packages in another grouping of layers";
}

function changeText({ name, change, hash }: PackageReport, named: boolean): string {
  const what = ((): string => {
    switch (change?.kind) {
      case "added":
        return "new in the image";
      case "version":
        return `was ${change.was}`;
      case "rebuilt":
        return `another build of it (was /${change.was?.slice(0, 7)}, now /${hash.slice(0, 7)})`;
      case "reinstalled":
        return "other options, prefixes or another archive";
      case "same":
      case undefined:
        return "unchanged";
    }
  })();
  return named ? `${name}: ${what}` : what;
}
