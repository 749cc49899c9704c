import type { VerbLines, VerbResults } from "./verbResults.ts";

/** What a verb found or did, as a line of `--json`: an object of the type `result`, as `schema/output/` describes it. */
export function resultLine<Verb extends keyof VerbResults>(verb: Verb, result: VerbResults[Verb]): string;
export function resultLine(_verb: string, result: object): string {
  return JSON.stringify({ type: "result", ...result });
}

/** A line of `--json` of another type, which only one verb prints. */
export function verbLine<Verb extends keyof VerbLines>(_verb: Verb, line: VerbLines[Verb]): string {
  return JSON.stringify(line);
}
