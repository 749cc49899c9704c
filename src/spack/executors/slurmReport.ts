/** What the supervisor of a job reports: lines in a file that it shares with us. */
import { readFile } from "node:fs/promises";

/** The reports so far. */
export interface JobReport {
  /** The command that runs, or ran last; undefined before the first. */
  readonly step: string | undefined;
  /** Undefined while it runs, and for good where the supervisor was killed. */
  readonly end:
    | {
        readonly status: number;
        readonly seconds: number;
        /** Bytes; 0 when it was over before it could be seen. */
        readonly memory: number;
        /** It was ended from outside. */
        readonly stopped: boolean;
      }
    | undefined;
}

/** Reads the reports of a job; undefined before it began. */
export async function readReport(path: string): Promise<JobReport | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseReport(text);
}

/** Reads the supervisor's lines; what is no line of its is left out, such as one that is not whole yet. */
export function parseReport(text: string): JobReport {
  let step: string | undefined;
  let end: JobReport["end"];
  for (const line of text.split("\n")) {
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(line) as Record<string, unknown>;
    } catch {
      continue;
    }
    if (typeof value?.step === "string") step = value.step;
    const { status, seconds, memory, stopped } = value ?? {};
    if (typeof status === "number" && typeof seconds === "number" && typeof memory === "number")
      end = { status, seconds, memory, stopped: stopped === true };
  }
  return { step, end };
}
