/** The words of an instruction's text, each with the place where it begins. */
import { isSpace } from "./whitespace.ts";

/** The character that escapes another and continues a line. */
export type EscapeCharacter = "\\" | "`";

/** A piece of a text. */
export interface Slice {
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
}

/** What flags an instruction has, and where its arguments begin. */
export interface Flags {
  /** As `--name=value`, quotes and escape characters taken away. */
  readonly flags: readonly Slice[];
  readonly rest: number;
}

/**
 * Reads the flags that come before the arguments.
 *
 * @param from where to begin
 */
export function readFlags(text: string, from: number, escapeCharacter: EscapeCharacter): Flags {
  const flags: Slice[] = [];
  let at = from;
  for (;;) {
    while (at < text.length && isSpace(text.charAt(at))) at++;
    if (!text.startsWith("--", at)) return { flags, rest: at };
    const start = at;
    let word = "";
    let quote = "";
    for (; at < text.length; at++) {
      const character = text.charAt(at);
      if (quote === "" && isSpace(character)) break;
      if (character === escapeCharacter) {
        at++;
        word += text.charAt(at);
      } else if (character === quote) quote = "";
      else if (quote === "" && (character === "'" || character === '"')) quote = character;
      else word += character;
    }
    if (word === "--") return { flags, rest: at };
    flags.push({ text: word, at: start });
  }
}

/** Splits at white space outside of quotes; quotes and escape characters stay. */
export function quotedWords(text: string, from: number, escapeCharacter: EscapeCharacter): readonly Slice[] {
  const words: Slice[] = [];
  let at = from;
  for (;;) {
    while (at < text.length && isSpace(text.charAt(at))) at++;
    if (at >= text.length) return words;
    const start = at;
    let word = "";
    let quote = "";
    for (; at < text.length; at++) {
      const character = text.charAt(at);
      if (quote === "" && isSpace(character)) break;
      if (character === escapeCharacter && quote !== "'") {
        // At the end it escapes nothing.
        if (at + 1 >= text.length) continue;
        word += character + text.charAt(++at);
        continue;
      }
      if (character === quote) quote = "";
      else if (quote === "" && (character === "'" || character === '"')) quote = character;
      word += character;
    }
    words.push({ text: word, at: start });
  }
}

/** Splits at blanks and tabs, whatever quotes there are. */
export function blankSeparated(text: string, from: number): readonly Slice[] {
  return [...text.slice(from).matchAll(/[^\t\v\f\r ]+/g)].map((match) => ({
    text: match[0],
    at: from + match.index,
  }));
}
