/** A small form in the terminal: asks for what a job does not say yet. */
import { parseResource, resourceFields } from "../hpc/resourceFields.ts";
import type { JobResources } from "../hpc/site.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { type FormTerminal, openConversation, yesOrNo } from "./conversation.ts";

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
  const form = openConversation(terminal, [
    "the form was not filled in completely",
    "nothing was written or submitted",
  ]);
  const resources: Record<string, string | number> = {};
  try {
    for (const { field, key, question } of resourceFields) {
      if (question === undefined || defaults.given[field] !== undefined) continue;
      const usual = defaults.site[field];
      const shown = usual === undefined ? "none" : escapeControlsInLine(String(usual));
      for (;;) {
        const answer = await form.line(`${question} [${shown}]: `);
        if (answer === "") break;
        try {
          resources[field] = parseResource(key, answer);
          break;
        } catch (error) {
          form.explain(asSpacktainersError(error).message);
        }
      }
    }
    let { command } = defaults;
    while (command.length === 0) command = splitWords(await form.line("Command in the container: "));
    const submit = defaults.offerSubmit && (await form.ask("Submit it now, yes or no", "no", yesOrNo));
    return { resources: { ...defaults.given, ...resources }, command, submit };
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
