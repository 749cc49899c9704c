/** Results of verbs, as rows of the tables of a report. */

import { counted } from "../util/counted.ts";
import { formatBytes, formatDuration } from "../util/formatBytes.ts";
import { asObject, type JsonDocument, listOf, numberOf, stringOf } from "./jsonDocument.ts";
import { code, escapeMarkdown, listedText } from "./markdownText.ts";

/** A line of a table, or of a list. */
export interface Row {
  /** Heads of the table's columns; undefined: it is a line of its own. */
  readonly group: readonly string[] | undefined;
  readonly cells: readonly string[];
  /** Markdown. */
  readonly text: string;
  readonly plain: string;
  readonly failed: boolean;
}

const builtHead = ["container", "version", "packages", "size", "built", "time", "digest"];
const pushedHead = ["image", "arch", "tags", "layers", "sent", "digest"];
const testHead = ["container", "where", "test", "result"];
const planHead = ["to do", "why"];
const fileHead = ["file", "size", "digest"];

/** What a document with a result says, as rows. */
export function resultRows(fact: JsonDocument): readonly Row[] {
  const failed = fact.failed === true;
  const name = [stringOf(fact.arch), stringOf(fact.name)].filter((part) => part !== undefined).join("/");
  if (Array.isArray(fact.stages) && Array.isArray(fact.containers)) return planRows(fact);
  if (Array.isArray(fact.results)) return listOf(fact.results).map(testRow);
  if (Array.isArray(fact.rebased)) return listOf(fact.rebased).flatMap(resultRows);
  if (typeof fact.repository === "string") return [pushRow(fact, failed)];
  if (Array.isArray(fact.hosts))
    return [line(`pipelines of ${listedText(fact.hosts)}: ${listedText(fact.files)}`, false)];
  if (typeof fact.checked === "number")
    return [
      line(
        `${counted(fact.checked, "file")} checked, ${counted(listOf(fact.errors).length, "error")}`,
        listOf(fact.errors).length > 0,
      ),
    ];
  if (typeof fact.job === "string") return [packagesRow(fact)];
  if (typeof fact.url === "string")
    return [row(fileHead, [code(fact.url), bytes(fact.size), code(shortDigest(fact.digest))], false)];
  if (typeof fact.reference === "string") return [line(`published ${fact.reference}`, false)];
  if (typeof fact.tag === "string") return [line(`made ${fact.tag}`, false)];
  if (failed) return [row(builtHead, [code(name), "failed", "", "", "", "", ""], true)];
  if (fact.skipped === true) return [row(builtHead, [code(name), "not tried", "", "", "", "", ""], false)];
  if (typeof fact.digest === "string") return [buildRow(fact, name)];
  return name === "" ? [] : [line(name, failed)];
}

function layersText(count: number | undefined): string {
  return count === undefined ? "? layers" : counted(count, "layer");
}

function buildRow(fact: JsonDocument, name: string): Row {
  const count = listOf(fact.packages).length;
  const reused = numberOf(fact.reused) ?? 0;
  const compiled = listOf(asObject(fact.compiled)?.packages, true).length;
  const how =
    fact.upToDate === true
      ? "up to date"
      : [...(compiled > 0 ? [`${compiled} built`] : []), `${reused} reused`].join(", ");
  return row(
    builtHead,
    [
      code(name),
      escapeMarkdown(stringOf(fact.version) ?? ""),
      String(count),
      `${bytes(fact.size)} in ${layersText(numberOf(fact.layers))}`,
      how,
      formatDuration(numberOf(fact.milliseconds) ?? 0),
      code(shortDigest(fact.digest)),
    ],
    false,
  );
}

function pushRow(fact: JsonDocument, failed: boolean): Row {
  const layers = asObject(fact.layers) ?? {};
  const there = ["referenced", "present", "mounted"].reduce(
    (sum, key) => sum + (numberOf(layers[key]) ?? 0),
    0,
  );
  const what = failed
    ? "failed"
    : fact.upToDate === true
      ? "up to date"
      : `${numberOf(layers.uploaded) ?? 0} new, ${there} there`;
  const tags = Array.isArray(fact.tags) ? fact.tags.map(String).join(" ") : "";
  return row(
    pushedHead,
    [
      code(String(fact.repository)),
      stringOf(fact.arch) ?? "",
      escapeMarkdown(tags),
      what,
      bytes(fact.bytesSent),
      code(shortDigest(fact.digest)),
    ],
    failed,
  );
}

function testRow(fact: JsonDocument): Row {
  const passed = fact.passed === true;
  const reasons = Array.isArray(fact.reasons) ? fact.reasons.map(String) : [];
  return row(
    testHead,
    [
      code(stringOf(fact.container) ?? ""),
      escapeMarkdown(stringOf(fact.where) ?? ""),
      escapeMarkdown(stringOf(fact.test) ?? ""),
      passed ? "passed" : `failed: ${escapeMarkdown(reasons.join("; ").slice(0, 500))}`,
    ],
    !passed,
  );
}

function packagesRow(fact: JsonDocument): Row {
  const built = Array.isArray(fact.built) ? fact.built.map(String) : [];
  const reused = Array.isArray(fact.reused) ? fact.reused.map(String) : [];
  const time = formatDuration((numberOf(fact.seconds) ?? 0) * 1000);
  const parts = [
    `${built.length === 0 ? "nothing" : built.join(", ")} built in ${time}`,
    ...(reused.length === 0 ? [] : [`there already: ${reused.join(", ")}`]),
  ];
  return line(parts.join("; "), false);
}

function planRows(fact: JsonDocument): readonly Row[] {
  const reasons = (one: JsonDocument): string => escapeMarkdown(listedText(one.reasons));
  const jobs = (Array.isArray(fact.stages) ? fact.stages : []).map((stage) => listOf(stage));
  const packages = jobs.flat().flatMap((job) => listOf(job.packages));
  return [
    ...listOf(fact.bases).map((one) =>
      row(planHead, [`base image ${code(stringOf(one.image) ?? "")}`, reasons(one)], false),
    ),
    ...(packages.length === 0
      ? []
      : [
          row(
            planHead,
            [
              `packages to build: ${packages.length}, in ${jobs.length === 1 ? "one stage" : `${jobs.length} stages`}`,
              escapeMarkdown(
                packages
                  .map(({ label }) => String(label))
                  .join(", ")
                  .slice(0, 2000),
              ),
            ],
            false,
          ),
        ]),
    ...listOf(fact.containers).map((one) =>
      row(
        planHead,
        [`container ${code(`${stringOf(one.arch)}/${stringOf(one.name)}`)}`, reasons(one)],
        false,
      ),
    ),
    ...(Array.isArray(fact.removed) && fact.removed.length > 0
      ? [line(`no longer defined: ${listedText(fact.removed)}`, false)]
      : []),
    ...(listOf(fact.containers).length + listOf(fact.bases).length === 0
      ? [
          line(
            `Nothing changed${typeof fact.since === "string" ? ` since ${fact.since.slice(0, 12)}` : ""} for ${stringOf(fact.arch) ?? "any architecture"}: nothing to do.`,
            false,
          ),
        ]
      : []),
  ];
}

function row(group: readonly string[], cells: readonly string[], failed: boolean): Row {
  const plain = cells.map((cell) => cell.replaceAll(/\\(.)|`/g, "$1")).filter((cell) => cell !== "");
  return {
    group,
    cells: cells.map((cell) => cell.replaceAll("|", "\\|")),
    text: "",
    plain: plain.join("  "),
    failed,
  };
}

function line(text: string, failed: boolean): Row {
  return { group: undefined, cells: [], text: escapeMarkdown(text), plain: text, failed };
}

function bytes(value: unknown): string {
  return formatBytes(numberOf(value) ?? 0);
}

function shortDigest(value: unknown): string {
  return typeof value === "string" ? value.slice(0, "sha256:".length + 12) : "";
}
