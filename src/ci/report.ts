/** What a verb said as JSON lines, as a report of a pipeline: a summary in Markdown, annotations, an artefact of findings. */
import { formatBytes, formatDuration } from "../util/formatBytes.ts";
import { asObject, listOf, numberOf, type ReportFacts, stringOf } from "./reportFacts.ts";

/** A problem at a place of the repository. */
export interface Annotation {
  readonly level: "error" | "warning" | "notice";
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Relative to the repository; undefined: at no file of it. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

/** A report of one command. */
export interface PipelineReport {
  /** Markdown, ending with a line break. */
  readonly summary: string;
  /** The same in plain lines, for the log. */
  readonly lines: readonly string[];
  readonly annotations: readonly Annotation[];
  readonly failed: boolean;
}

/** Longest summary that is written, in characters: GitHub takes a megabyte of a step. */
const longestSummary = 200_000;

/**
 * Makes the report of what a command printed with `--json`.
 *
 * @param title what was done, for people
 * @param documents its lines, parsed; what is no document of ours is left out
 * @param root absolute folder that paths are made relative to
 */
export function pipelineReport(title: string, documents: readonly unknown[], root: string): PipelineReport {
  const facts = listOf(documents);
  const annotations = distinct(facts.flatMap((fact) => annotationsOf(fact, root)));
  const rows = facts.filter(({ type }) => type === "result").flatMap(resultRows);
  const failures = facts.filter(({ type }) => type === "build-failure").map(buildFailure);
  const errors = annotations.filter(({ level }) => level === "error");
  const failed = errors.length > 0 || rows.some((row) => row.failed);
  const warnings = annotations.filter(({ level }) => level === "warning");
  const notices = annotations.filter(({ level }) => level === "notice");
  const parts = [
    `### ${failed ? "❌" : "✅"} ${escapeMarkdown(title)}`,
    ...rows.filter(({ group }) => group === undefined).map(({ text }) => `- ${text}`),
    ...tablesOf(rows),
    ...notices.map(({ message }) => escapeMarkdown(message)),
    ...failures.map(({ markdown }) => markdown),
    ...problemList("What is wrong", errors),
    ...problemList("Warnings", warnings),
  ].filter((part) => part !== "");
  const summary = `${parts.join("\n\n").replace(/(\n- [^\n]*)\n\n(?=- )/g, "$1\n")}\n\n`;
  return {
    summary:
      summary.length > longestSummary
        ? `${summary.slice(0, longestSummary)}\n\n… the rest is in the log\n\n`
        : summary,
    lines: [...rows.map(({ plain }) => plain), ...notices.map(({ message }) => message)],
    annotations,
    failed,
  };
}

/** A line of a table, or of a list. */
interface Row {
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

function resultRows(fact: ReportFacts): readonly Row[] {
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
        `${fact.checked} files checked, ${listOf(fact.errors).length} errors`,
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

function buildRow(fact: ReportFacts, name: string): Row {
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
      `${bytes(fact.size)} in ${numberOf(fact.layers) ?? "?"} layers`,
      how,
      formatDuration(numberOf(fact.milliseconds) ?? 0),
      code(shortDigest(fact.digest)),
    ],
    false,
  );
}

function pushRow(fact: ReportFacts, failed: boolean): Row {
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

function testRow(fact: ReportFacts): Row {
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

function packagesRow(fact: ReportFacts): Row {
  const built = Array.isArray(fact.built) ? fact.built.map(String) : [];
  const reused = Array.isArray(fact.reused) ? fact.reused.map(String) : [];
  const time = formatDuration((numberOf(fact.seconds) ?? 0) * 1000);
  const parts = [
    `${built.length === 0 ? "nothing" : built.join(", ")} built in ${time}`,
    ...(reused.length === 0 ? [] : [`there already: ${reused.join(", ")}`]),
  ];
  return line(parts.join("; "), false);
}

function planRows(fact: ReportFacts): readonly Row[] {
  const reasons = (one: ReportFacts): string => escapeMarkdown(listedText(one.reasons));
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

function annotationsOf(fact: ReportFacts, root: string): readonly Annotation[] {
  if (fact.type === "warning") {
    const level = fact.code === "NOTICE" ? "notice" : "warning";
    return [annotation(level, { ...fact, ...asObject(fact.place) }, root)];
  }
  const errors = listOf(fact.errors).map((one) => annotation("error", one, root));
  const warnings = listOf(fact.warnings).map((one) => annotation("warning", one, root));
  return fact.type === "error" || fact.type === "result" ? [...errors, ...warnings] : [];
}

function annotation(level: Annotation["level"], fact: ReportFacts, root: string): Annotation {
  return {
    level,
    code: stringOf(fact.code) ?? "",
    message: stringOf(fact.message) ?? "",
    hint: stringOf(fact.hint),
    file: relativeFile(stringOf(fact.file), root),
    line: numberOf(fact.line),
    column: numberOf(fact.column),
  };
}

/** A path below the repository; undefined for others, which a host of repositories cannot show. */
function relativeFile(file: string | undefined, root: string): string | undefined {
  if (file === undefined) return undefined;
  if (file.startsWith(`${root}/`)) return file.slice(root.length + 1);
  return file.startsWith("/") || file.startsWith("../") ? undefined : file;
}

function buildFailure(fact: ReportFacts): { readonly markdown: string } {
  const errors = listOf(fact.errors);
  const log = errors.flatMap((error) => [
    `line ${numberOf(error.line) ?? "?"}`,
    ...(Array.isArray(error.context) ? error.context.map((text) => `  ${String(text)}`) : []),
  ]);
  const blocked = listedText(fact.blocked);
  const phase = stringOf(fact.phase);
  return {
    markdown: [
      `**${escapeMarkdown(stringOf(fact.package) ?? "")}** failed${phase === undefined ? "" : ` in its phase ${escapeMarkdown(phase)}`}${stringOf(fact.reason) === undefined ? "" : `: ${escapeMarkdown(stringOf(fact.reason) ?? "")}`}`,
      ...(log.length === 0 ? [] : [fenced(log.join("\n"))]),
      ...(blocked === "" ? [] : [`Not built because of it: ${escapeMarkdown(blocked)}`]),
    ].join("\n\n"),
  };
}

function problemList(head: string, problems: readonly Annotation[]): readonly string[] {
  if (problems.length === 0) return [];
  const items = problems.map(({ code: name, message, hint, file, line: at, column }) => {
    const place =
      file === undefined ? "" : `${code([file, at, column].filter((part) => part !== undefined).join(":"))} `;
    return `- ${place}${name} ${escapeMarkdown(message)}${hint === undefined ? "" : `  \n  ${escapeMarkdown(hint)}`}`;
  });
  return [`**${head}**\n\n${items.join("\n")}`];
}

function tablesOf(rows: readonly Row[]): readonly string[] {
  const groups = [...new Set(rows.flatMap(({ group }) => (group === undefined ? [] : [group])))];
  return groups.map((head) => {
    const body = rows.filter(({ group }) => group === head).map(({ cells }) => `| ${cells.join(" | ")} |`);
    return [`| ${head.join(" | ")} |`, `|${head.map(() => "---|").join("")}`, ...body].join("\n");
  });
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

function distinct(annotations: readonly Annotation[]): readonly Annotation[] {
  return [...new Map(annotations.map((one) => [JSON.stringify(one), one])).values()];
}

function listedText(value: unknown): string {
  return (Array.isArray(value) ? value : []).map(String).join(", ");
}

function bytes(value: unknown): string {
  return formatBytes(numberOf(value) ?? 0);
}

function shortDigest(value: unknown): string {
  return typeof value === "string" ? value.slice(0, "sha256:".length + 12) : "";
}

function code(text: string): string {
  return text === "" ? "" : `\`${text.replaceAll("`", "'").replaceAll("\n", " ")}\``;
}

/** Text that Markdown shows as it is. */
function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\*[\]<>#&]|(?<!\w)_|_(?!\w)/g, "\\$&")
    .replace(/(^|\W)@/g, "$1@\u200B")
    .replaceAll(/\r?\n/g, " ");
}

/** Text in a block that nothing in it can end. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
