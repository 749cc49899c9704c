/** A small form in the terminal: asks for what a job does not say yet. */
import { createInterface } from "node:readline/promises";
import { parseResource, resourceFields } from "../hpc/resourceFields.ts";
import type { JobResources } from "../hpc/site.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
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
  /** Ask whether to submit the job: where that can be done, and was not said. */
  readonly offerSubmit: boolean;
}

/** What was answered. */
export interface FormAnswers {
  readonly resources: JobResources;
  readonly command: readonly string[];
  readonly submit: boolean;
}

/**
 * Asks for every resource that the command line does not name, the site's value being the answer of an empty line, for the command
 * when there is none, and whether to submit the job. A wrong value is explained and asked for again.
 *
 * @throws {SpacktainersError} `INTERRUPTED` by `Ctrl-C`, and when the input ends: a form that is not filled in to its end, by
 *   somebody whose connection broke, says nothing; the signal's reason
 */
export async function askForJob(defaults: FormDefaults, terminal: FormTerminal): Promise<FormAnswers> {
  const { input, output, signal } = terminal;
  const form = createInterface({ input, output });
  // Lines may come before they are asked for.
  const lines = form[Symbol.asyncIterator]();
  const close = (): void => form.close();
  // On a terminal the key comes to us, not a signal.
  form.once("SIGINT", close);
  signal?.addEventListener("abort", close, { once: true });
  const ask = async (question: string): Promise<string> => {
    // What is deleted on the line is drawn again behind the question.
    form.setPrompt(question);
    if (signal?.aborted !== true) form.prompt();
    const next = await lines.next();
    if (next.done !== true) return next.value.trim();
    output.write("\n");
    throw (
      signal?.reason ??
      new SpacktainersError("INTERRUPTED", "the form was not filled in to its end", {
        hint: "nothing was written and nothing submitted",
      })
    );
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
          explain(output, asSpacktainersError(error).message);
        }
      }
    }
    let { command } = defaults;
    while (command.length === 0) command = splitWords(await ask("Command in the container: "));
    const submit = defaults.offerSubmit && (await askWhether(ask, output, "Submit it now, yes or no [no]: "));
    return { resources: { ...defaults.given, ...resources }, command, submit };
  } finally {
    signal?.removeEventListener("abort", close);
    form.close();
  }
}

async function askWhether(
  ask: (question: string) => Promise<string>,
  output: NodeJS.WritableStream,
  question: string,
): Promise<boolean> {
  for (;;) {
    const answer = (await ask(question)).toLowerCase();
    if (answer === "" || "no".startsWith(answer)) return false;
    if ("yes".startsWith(answer)) return true;
    explain(output, "the answer is yes or no");
  }
}

function explain(output: NodeJS.WritableStream, message: string): void {
  output.write(`  ${escapeControlsInLine(message)}\n`);
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
