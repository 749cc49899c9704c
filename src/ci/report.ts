/** What a verb said as JSON lines, as a report of a pipeline: a summary in Markdown, annotations, an artefact of findings. */

import { asObject, type JsonDocument, listOf, numberOf, stringOf } from "./jsonDocument.ts";
import { code, escapeMarkdown, listedText } from "./markdownText.ts";
import { type Row, resultRows } from "./reportRows.ts";

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
 * @param documents its lines, parsed; documents that spacktainers did not write are left out
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

function annotationsOf(fact: JsonDocument, root: string): readonly Annotation[] {
  if (fact.type === "warning") {
    const level = fact.code === "NOTICE" ? "notice" : "warning";
    return [annotation(level, { ...fact, ...asObject(fact.place) }, root)];
  }
  const errors = listOf(fact.errors).map((one) => annotation("error", one, root));
  const warnings = listOf(fact.warnings).map((one) => annotation("warning", one, root));
  return fact.type === "error" || fact.type === "result" ? [...errors, ...warnings] : [];
}

function annotation(level: Annotation["level"], fact: JsonDocument, root: string): Annotation {
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

function buildFailure(fact: JsonDocument): { readonly markdown: string } {
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

function distinct(annotations: readonly Annotation[]): readonly Annotation[] {
  return [...new Map(annotations.map((one) => [JSON.stringify(one), one])).values()];
}

/** Text in a block that nothing in it can end. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
