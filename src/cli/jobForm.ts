/** A small form in the terminal: asks for what a job does not say yet. */
import { createInterface } from "node:readline/promises";
import { parseResource, resourceFields } from "../hpc/resourceFields.ts";
import type { JobResources } from "../hpc/site.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";

/** Where the form is shown. */
export interface FormTerminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal?: AbortSignal;
}

/** What the form starts with. */
export interface FormDefaults {
  /** Of the site. */
  readonly site: JobResources;
  /** Of the command line: not asked for. */
  readonly given: JobResources;
  readonly command: readonly string[];
}

/** What was answered. */
export interface FormAnswers {
  readonly resources: JobResources;
  readonly command: readonly string[];
}

/**
 * Asks for every resource that the command line does not name, the site's value being the answer of an empty line, and for the command
 * when there is none. A wrong value is explained and asked for again.
 */
export async function askForJob(defaults: FormDefaults, terminal: FormTerminal): Promise<FormAnswers> {
  const { output, signal } = terminal;
  const form = createInterface({ input: terminal.input, output });
  // Lines may come before they are asked for, and the input may end.
  const lines = form[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    output.write(question);
    if (signal?.aborted === true) throw signal.reason;
    const next = await lines.next();
    return next.done === true ? "" : next.value.trim();
  };
  const resources: Record<string, string | number> = {};
  try {
    for (const { field, key, question } of resourceFields) {
      if (defaults.given[field] !== undefined) continue;
      const usual = defaults.site[field];
      const shown = usual === undefined ? "none" : escapeControlsInLine(String(usual));
      for (;;) {
        const answer = await ask(`${question} [${shown}]: `);
        if (answer === "") break;
        try {
          resources[field] = parseResource(key, answer);
          break;
        } catch (error) {
          output.write(`  ${escapeControlsInLine(asSpacktainersError(error).message)}\n`);
        }
      }
    }
    let command = defaults.command;
    if (command.length === 0) command = splitWords(await ask("Command in the container: "));
    return { resources: { ...defaults.given, ...resources }, command };
  } finally {
    form.close();
  }
}

/** Words as a shell takes them apart at blanks and quotes; nothing is filled in. */
export function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote === "'" ? character === "'" : quote === '"' && character === '"') quote = "";
    else if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
      word ??= "";
    } else if (character === "\\" && quote !== "'") word = (word ?? "") + (text[++at] ?? "");
    else if (quote === "" && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  return word === undefined ? words : [...words, word];
}
