/** Questions on the terminal, one a line. */
import { createInterface } from "node:readline/promises";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";

/** Where questions are asked. */
export interface FormTerminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal?: AbortSignal | undefined;
}

/** Questions and answers. */
export interface Conversation {
  /**
   * The answer to a question, without blanks around it.
   *
   * @throws {SpacktainersError} `INTERRUPTED` by `Ctrl-C`, and when the input ends: questions that are not answered to their end, by
   *   somebody whose connection broke, say nothing; the signal's reason
   */
  line(question: string): Promise<string>;
  /**
   * Asks until the answer can be read.
   *
   * @param usual what an empty line stands for
   * @param read from text to value; what it throws is explained, and the question asked again
   */
  ask<T>(question: string, usual: string, read: (answer: string) => T): Promise<T>;
  /** Says why an answer will not do. */
  explain(message: string): void;
  close(): void;
}

/**
 * Begins to ask; to be closed.
 *
 * @param unfinished the message, and its hint, when the answers end too early
 */
export function openConversation(
  { input, output, signal }: FormTerminal,
  unfinished: readonly [message: string, hint: string],
): Conversation {
  const form = createInterface({ input, output });
  // Lines may come before they are asked for.
  const lines = form[Symbol.asyncIterator]();
  const close = (): void => form.close();
  // On a terminal the key comes to us, not a signal.
  form.once("SIGINT", close);
  signal?.addEventListener("abort", close, { once: true });
  const line = async (question: string): Promise<string> => {
    // What is deleted on the line is drawn again behind the question.
    form.setPrompt(question);
    if (signal?.aborted !== true) form.prompt();
    const next = await lines.next();
    if (next.done !== true) return next.value.trim();
    output.write("\n");
    const [message, hint] = unfinished;
    throw signal?.reason ?? new SpacktainersError("INTERRUPTED", message, { hint });
  };
  const explain = (message: string): void => {
    output.write(`  ${escapeControlsInLine(message)}\n`);
  };
  return {
    line,
    explain,
    async ask(question, usual, read) {
      for (;;) {
        const answer = await line(`${question} [${escapeControlsInLine(usual)}]: `);
        try {
          return read(answer === "" ? usual : answer);
        } catch (error) {
          explain(asSpacktainersError(error).message);
        }
      }
    },
    close() {
      signal?.removeEventListener("abort", close);
      form.close();
    },
  };
}

/**
 * Reads yes or no, also shortened.
 *
 * @throws {SpacktainersError} `USAGE`
 */
export function yesOrNo(answer: string): boolean {
  const word = answer.toLowerCase();
  if (word !== "" && "yes".startsWith(word)) return true;
  if (word !== "" && "no".startsWith(word)) return false;
  throw new SpacktainersError("USAGE", "the answer is yes or no");
}
