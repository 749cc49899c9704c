/** Here-documents of RUN, COPY and ADD: `<<NAME`, `<<-NAME`, `3<<"NAME"`. */
import { expandWords } from "./expandWord.ts";
import { ExpansionError } from "./expansionError.ts";

/** A word that asks for a here-document. */
export interface HeredocWord {
  /** The line that ends it, and the name of its file where it is copied. */
  readonly name: string;
  readonly descriptor: number;
  /** Variables in it are replaced: its name is not quoted. */
  readonly expand: boolean;
  /** `<<-`: tabs at the beginning of its lines are taken away. */
  readonly chomp: boolean;
}

/** A here-document. */
export interface Heredoc extends HeredocWord {
  /** Its lines as they are, tabs included. */
  readonly content: string;
}

const nothing = (): undefined => undefined;

/** The here-documents that a line asks for, in order. */
export function heredocsIn(line: string): readonly HeredocWord[] {
  let words: readonly string[];
  try {
    words = expandWords(line, { variable: nothing, rawQuotes: true, rawEscapes: true, keepUnset: true });
  } catch (error) {
    // A command for a shell may have quotes that only the shell understands.
    if (error instanceof ExpansionError) return [];
    throw error;
  }
  return words.flatMap((word) => parseHeredocWord(word) ?? []);
}

/**
 * Reads one word.
 *
 * @returns undefined when it asks for no here-document
 */
export function parseHeredocWord(word: string): HeredocWord | undefined {
  const [, descriptor, dash, rest] = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  if (rest === undefined || rest === "") return undefined;
  const plain = wordsOf(rest, false);
  const raw = wordsOf(rest, true);
  const [name] = plain;
  if (plain.length !== 1 || raw.length !== 1 || name === undefined) return undefined;
  return {
    name,
    descriptor: Number(descriptor),
    expand: quotesIn(name) === quotesIn(raw[0] ?? ""),
    chomp: dash === "-",
  };
}

/** The content as programs see it. */
export function heredocContent({ content, chomp }: Heredoc): string {
  return chomp ? content.replace(/^\t+/gm, "") : content;
}

function wordsOf(text: string, rawQuotes: boolean): readonly string[] {
  try {
    return expandWords(text, { variable: nothing, rawQuotes, keepUnset: true });
  } catch (error) {
    if (error instanceof ExpansionError) return [];
    throw error;
  }
}

function quotesIn(text: string): number {
  return text.match(/['"]/g)?.length ?? 0;
}
