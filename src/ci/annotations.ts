/** Annotations in the forms of those who show them. */
import { digestOf, hexOfDigest } from "../util/digest.ts";
import type { Annotation } from "./report.ts";

/** Most annotations of a step that GitHub shows; what is beyond stands in the summary. */
const mostCommands = 10;

/** Workflow commands of GitHub Actions: one a line, the most severe first. */
export function workflowCommands(annotations: readonly Annotation[]): readonly string[] {
  const order = ["error", "warning", "notice"];
  return [...annotations]
    .sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
    .slice(0, mostCommands)
    .map(({ level, code, message, hint, file, line, column }) => {
      const properties = [
        ...(file === undefined ? [] : [`file=${property(file)}`]),
        ...(file === undefined || line === undefined ? [] : [`line=${line}`]),
        ...(file === undefined || column === undefined ? [] : [`col=${column}`]),
        ...(code === "" ? [] : [`title=${property(code)}`]),
      ];
      const text = hint === undefined ? message : `${message}\n${hint}`;
      return `::${level}${properties.length === 0 ? "" : ` ${properties.join(",")}`}::${data(text)}`;
    });
}

/** A report of code quality, which GitLab shows beside the lines of a merge request. */
export function codeQuality(annotations: readonly Annotation[]): readonly object[] {
  return annotations.flatMap(({ level, code, message, hint, file, line }) =>
    file === undefined || level === "notice"
      ? []
      : [
          {
            description: hint === undefined ? message : `${message} (${hint})`,
            check_name: code,
            fingerprint: hexOfDigest(digestOf(Buffer.from(JSON.stringify([code, message, file, line ?? 0])))),
            severity: level === "error" ? "major" : "minor",
            location: { path: file, lines: { begin: line ?? 1 } },
          },
        ],
  );
}

/** A line of a log that no runner takes for a command. */
export function harmlessLine(line: string): string {
  return /^\s*(?:::|##\[)/.test(line) ? `| ${line}` : line;
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
