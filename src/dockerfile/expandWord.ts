/**
 * Variables and quotes in the words of a Dockerfile, as BuildKit takes them (`frontend/dockerfile/shell`): `$NAME`, `${NAME}`,
 * `${NAME:-word}`, `:+`, `:?` and the forms without colon, `${NAME#pattern}`, `##`, `%`, `%%`, `${NAME/pattern/text}` and `//`.
 */
import { ExpansionError } from "./expansionError.ts";
import { replaceMatches, trimPrefix, trimSuffix } from "./shellPattern.ts";
import { isSpace } from "./whitespace.ts";

/** How words are read. */
export interface ExpansionOptions {
  /** Value of a variable; undefined when it is not set. */
  readonly variable: (name: string) => string | undefined;
  /** Default: a backslash. */
  readonly escape?: string;
  /** Quotes stay in the result. */
  readonly rawQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes mean nothing. */
  readonly ignoreQuotes?: boolean;
  /** A variable that is not set stays as it is written. */
  readonly keepUnset?: boolean;
}

/**
 * Expands a word: variables replaced, quotes and escape characters taken away. White space stays.
 *
 * @throws ExpansionError
 */
export function expandWord(word: string, options: ExpansionOptions): string {
  return new Expansion(word, options).all().text;
}

/**
 * Expands a text and splits it at white space outside of quotes.
 *
 * @throws ExpansionError
 */
export function expandWords(text: string, options: ExpansionOptions): readonly string[] {
  return new Expansion(text, options).all().words;
}

interface Expanded {
  readonly text: string;
  readonly words: readonly string[];
}

/** Depth of expansions in expansions that no honest word has. */
const deepest = 100;

class Expansion {
  readonly #characters: readonly string[];
  readonly #options: ExpansionOptions;
  readonly #escape: string;
  #rawEscapes: boolean;
  #at = 0;
  #depth = 0;

  constructor(word: string, options: ExpansionOptions) {
    this.#characters = [...word];
    this.#options = options;
    this.#escape = options.escape ?? "\\";
    this.#rawEscapes = options.rawEscapes === true;
  }

  all(): Expanded {
    return this.#until(undefined, this.#rawEscapes, false);
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string | undefined {
    return this.#characters[this.#at++];
  }

  #until(stop: string | undefined, rawEscapes: boolean, forPattern: boolean): Expanded {
    const before = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    if (++this.#depth > deepest) throw new ExpansionError("variables are nested too deeply");
    try {
      return this.#collect(stop, forPattern);
    } finally {
      this.#rawEscapes = before;
      this.#depth--;
    }
  }

  #collect(stop: string | undefined, forPattern: boolean): Expanded {
    let text = "";
    const words = new Words();
    for (let next = this.#next; next !== undefined; next = this.#next) {
      if (next === stop) {
        this.#at++;
        return { text, words: words.finish() };
      }
      const quotes = this.#options.ignoreQuotes !== true;
      if (next === "$") {
        const value = this.#dollar();
        text += value;
        words.addSplitting(value);
      } else if (next === "<") {
        const value = this.#angle();
        text += value;
        words.add(value);
      } else if (quotes && next === "'") {
        const value = this.#singleQuoted(forPattern);
        text += value;
        words.add(value);
      } else if (quotes && next === '"') {
        const value = this.#doubleQuoted(forPattern);
        text += value;
        words.add(value);
      } else {
        this.#at++;
        if (next !== this.#escape) {
          text += next;
          words.addSplitting(next);
          continue;
        }
        if (this.#rawEscapes) {
          text += next;
          words.add(next);
        }
        const escaped = this.#take();
        if (escaped === undefined) break;
        text += escaped;
        words.add(escaped);
      }
    }
    if (stop !== undefined) throw new ExpansionError(`the ${stop} that would end it is missing`);
    return { text, words: words.finish() };
  }

  #singleQuoted(forPattern: boolean): string {
    const raw = this.#options.rawQuotes === true;
    let text = raw ? "'" : "";
    this.#at++;
    for (let next = this.#take(); ; next = this.#take()) {
      if (next === undefined) throw new ExpansionError("a single quote is not closed");
      if (next === "'") return raw ? `${text}'` : text;
      text += forPattern && next === this.#escape ? next + next : next;
    }
  }

  #doubleQuoted(forPattern: boolean): string {
    const raw = this.#options.rawQuotes === true;
    let text = raw ? '"' : "";
    this.#at++;
    for (;;) {
      const next = this.#next;
      if (next === undefined) throw new ExpansionError("a double quote is not closed");
      if (next === "$") {
        text += this.#dollar();
        continue;
      }
      this.#at++;
      if (next === '"') return raw ? `${text}"` : text;
      if (next !== this.#escape) {
        text += next;
        continue;
      }
      const escaped = this.#next;
      if (escaped === undefined) continue;
      if (escaped === '"' || escaped === "$" || escaped === this.#escape) {
        text += this.#rawEscapes ? next + escaped : escaped;
        this.#at++;
      } else text += this.#rawEscapes && (!raw || forPattern) ? next + next : next;
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#next !== "{") {
      const name = this.#name();
      if (name === "") return "$";
      const value = this.#options.variable(name);
      return value ?? (this.#options.keepUnset === true ? `$${name}` : "");
    }
    this.#at++;
    if (this.#next === undefined) throw new ExpansionError("a } is missing");
    if (this.#next === "{" || this.#next === "}" || this.#next === ":")
      throw new ExpansionError("${ is not followed by a name");
    const name = this.#name();
    const value = this.#options.variable(name);
    const operator = this.#take() ?? "";
    if (operator === "}") return value ?? (this.#options.keepUnset === true ? `\${${name}}` : "");
    if (operator === "/") return this.#replacement(name, value);
    const colon = operator === ":";
    const what = colon ? (this.#take() ?? "") : operator;
    const written = colon ? `:${what}` : what;
    if (!["+", "-", "?", "#", "%"].includes(what) || (colon && (what === "#" || what === "%")))
      throw new ExpansionError(`\${${name}${written}…} is not a form that is known`);
    const isPattern = what === "#" || what === "%";
    const word = this.#operand("}", isPattern, isPattern);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}${written}${word}}`;
    const isSet = value !== undefined && !(colon && value === "");
    switch (what) {
      case "-":
        return isSet ? value : word;
      case "+":
        return isSet ? word : "";
      case "?":
        if (isSet) return value;
        throw new ExpansionError(
          `${name}: ${word === "" ? `must be set${colon ? " and not be empty" : ""}` : word}`,
        );
      default:
        return this.#trimmed(what, word, value ?? "");
    }
  }

  #trimmed(what: string, word: string, value: string): string {
    const longest = word.startsWith(what);
    const pattern = longest ? word.slice(1) : word;
    return what === "#" ? trimPrefix(value, pattern, longest) : trimSuffix(value, pattern, longest);
  }

  #replacement(name: string, value: string | undefined): string {
    const all = this.#next === "/";
    if (all) this.#at++;
    const pattern = this.#operand("/", true, true);
    const text = this.#operand("}", true, false);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}/${pattern}/${text}}`;
    return replaceMatches(value ?? "", pattern, text, all);
  }

  #operand(stop: string, rawEscapes: boolean, forPattern: boolean): string {
    return this.#until(stop, rawEscapes, forPattern).text;
  }

  #name(): string {
    const first = this.#next ?? "";
    if (/\p{Nd}/u.test(first)) return this.#while(/\p{Nd}/u);
    if (first !== "" && "@*#?-$!0".includes(first)) {
      this.#at++;
      return first;
    }
    return this.#while(/[\p{L}\p{Nd}_]/u);
  }

  #while(pattern: RegExp): string {
    let text = "";
    for (let next = this.#next; next !== undefined && pattern.test(next); next = this.#next) {
      text += next;
      this.#at++;
    }
    return text;
  }

  /** `<<` and the white space after it belong together: what follows is the name of a here-document. */
  #angle(): string {
    this.#at++;
    if (this.#next !== "<") return "<";
    this.#at++;
    return `<<${this.#while(/[\t\r ]/)}`;
  }
}

/** Words being put together from pieces. */
class Words {
  readonly #words: string[] = [];
  #word = "";

  /** Adds text as it is. */
  add(text: string): void {
    this.#word += text;
  }

  /** Adds text, of which white space ends a word. */
  addSplitting(text: string): void {
    for (const character of text)
      if (isSpace(character)) this.#end();
      else this.#word += character;
  }

  finish(): readonly string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== "") this.#words.push(this.#word);
    this.#word = "";
  }
}
