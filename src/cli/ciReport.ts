/** The report of a pipeline's job, from the JSON lines of a command. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { codeQuality, harmlessLine, workflowCommands } from "../ci/annotations.ts";
import { asObject } from "../ci/jsonDocument.ts";
import { pipelineReport } from "../ci/report.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import type { WorkEvent } from "../util/events.ts";
import { openReporter } from "./report/openReporter.ts";

/** Documents that only say how far something is. */
const progress = new Set([
  "container-start",
  "container-end",
  "stage",
  "task-start",
  "task-progress",
  "task-phase",
  "time-left",
  "task-end",
  "job",
  "waiting",
  "retry",
]);

/** What a report is made of, and where it goes. */
export interface ReportRequest {
  readonly input: Readable;
  readonly title: string;
  /** The repository. */
  readonly directory: string;
  /** Folder of the report's files. */
  readonly output: string;
  readonly env: NodeJS.ProcessEnv;
  print(text: string): void;
}

/**
 * Shows progress while a command runs, and reports what became of it. Lines that are no JSON are shown as they are.
 *
 * @returns 0: whether the command failed is said by its own status
 */
export async function reportFromLines(request: ReportRequest): Promise<number> {
  const { env, output, directory, title } = request;
  const print = (text: string): void => request.print(harmlessLine(text));
  const stream = {
    isTTY: false,
    columns: undefined,
    write: (text: string) => print(text.replace(/\n$/, "")),
  };
  const reporter = openReporter({ json: false, quiet: false, color: false, stderr: stream, stdout: stream });
  const documents: unknown[] = [];
  for await (const line of createInterface({ input: request.input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === "") continue;
    const document = parsed(line);
    const type = document?.type;
    if (document === undefined) print(line);
    else if (
      typeof type === "string" &&
      (progress.has(type) || type === "warning" || type === "build-failure")
    ) {
      // Written by this program, for its own renderers.
      reporter.emit(document as unknown as WorkEvent);
      if (!progress.has(type)) documents.push(document);
    } else documents.push(document);
  }
  reporter.close();
  const report = pipelineReport(title, documents, env.GITHUB_WORKSPACE ?? env.CI_PROJECT_DIR ?? directory);
  for (const line of report.lines) print(line);
  const onGithub = env.GITHUB_ACTIONS === "true";
  for (const { level, code, message, hint, file, line, column } of report.annotations) {
    if (level !== "error") continue;
    const place = [file, line, column].filter((part) => part !== undefined).join(":");
    print([place, "error", code, message].filter((part) => part !== "").join("  "));
    if (hint !== undefined) print(`  hint: ${hint}`);
  }
  if (onGithub) for (const command of workflowCommands(report.annotations)) request.print(command);
  if (env.GITHUB_STEP_SUMMARY) await appendFile(env.GITHUB_STEP_SUMMARY, report.summary);
  await mkdir(output, { recursive: true });
  await appendFile(join(output, "summary.md"), report.summary);
  const findings = join(output, "code-quality.json");
  const before = await readFile(findings, "utf8").then(
    (text): unknown => JSON.parse(text),
    () => [],
  );
  const all = [...(Array.isArray(before) ? before : []), ...codeQuality(report.annotations)];
  await writeFileAtomically(findings, `${JSON.stringify(all, undefined, 1)}\n`);
  return 0;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return asObject(JSON.parse(line));
  } catch {
    return undefined;
  }
}
