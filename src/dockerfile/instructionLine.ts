/** One line of a Dockerfile: its keyword, flags and arguments, and errors that say where they stand. */
import { printable } from "../archive/names.ts";
import { didYouMean } from "../definitions/nearest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Heredoc } from "./heredocs.ts";
import type { InstructionPlace, Word } from "./instruction.ts";
import { blankSeparated, type EscapeCharacter, quotedWords, readFlags, type Slice } from "./lineWords.ts";
import type { LogicalLine } from "./logicalLines.ts";
import { trim } from "./whitespace.ts";

/** A flag, read. */
export interface Flag extends Slice {
  readonly name: string;
  /** Undefined without `=`. */
  readonly value: string | undefined;
}

/** An instruction as it is written. */
export class InstructionLine {
  /** Its keyword, and where it stands. */
  readonly place: InstructionPlace;
  readonly heredocs: readonly Heredoc[];
  readonly #line: LogicalLine;
  readonly #file: string;
  readonly #escape: EscapeCharacter;
  readonly #flags: readonly Flag[];
  /** Where the arguments begin in the line. */
  readonly start: number;
  /** The arguments, without white space around them. */
  readonly arguments: string;

  constructor(line: LogicalLine, file: string, escapeCharacter: EscapeCharacter) {
    this.#line = line;
    this.heredocs = line.heredocs;
    this.#file = file;
    this.#escape = escapeCharacter;
    const [keyword] = blankSeparated(line.text, 0);
    const at = keyword?.at ?? 0;
    const end = at + (keyword?.text.length ?? 0);
    const { flags, rest } = readFlags(line.text, end, escapeCharacter);
    this.#flags = flags.map((flag) => {
      const equals = flag.text.indexOf("=");
      return equals < 0
        ? { ...flag, name: flag.text.slice(2), value: undefined }
        : { ...flag, name: flag.text.slice(2, equals), value: flag.text.slice(equals + 1) };
    });
    let start = rest;
    while (start < line.text.length && trim(line.text.charAt(start)) === "") start++;
    this.start = start;
    this.arguments = trim(line.text.slice(start));
    this.place = {
      keyword: keyword?.text.toUpperCase() ?? "",
      ...line.position(at),
      endLine: line.endLine,
      text: trim(line.text.slice(end)),
    };
  }

  /** That no Dockerfile may say this; at an offset of the line, else at its beginning. */
  wrong(message: string, { at, hint }: { at?: number; hint?: string | undefined } = {}): SpacktainersError {
    const place = at === undefined ? this.place : this.#line.position(at);
    return new SpacktainersError("DEFINITION_INVALID", message, {
      place: { file: this.#file, line: place.line, column: place.column },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** That this cannot be honoured here. */
  refused(message: string, hint: string, at?: number): SpacktainersError {
    const { line, column } = at === undefined ? this.place : this.#line.position(at);
    return new SpacktainersError("NOT_SUPPORTED", message, {
      place: { file: this.#file, line, column },
      hint,
    });
  }

  /** A part of the line with its place. */
  word({ text, at }: Slice): Word {
    return { text, ...this.#line.position(at) };
  }

  /** The arguments, separated by white space. */
  blankWords(): readonly Word[] {
    return blankSeparated(this.#line.text, this.start).map((slice) => this.word(slice));
  }

  /** A list that must not be empty. @throws DEFINITION_INVALID */
  needed<T>(list: readonly T[]): readonly T[] {
    if (list.length === 0) throw this.wrong(`${this.place.keyword} needs an argument`);
    return list;
  }

  /** The arguments as one word. @throws DEFINITION_INVALID without one */
  single(): Word {
    if (this.arguments === "") throw this.wrong(`${this.place.keyword} needs an argument`);
    return this.word({ text: this.arguments, at: this.start });
  }

  /** The flags by name; each at most once unless it may be repeated. */
  known(names: Readonly<Record<string, "once" | "repeated">>): ReadonlyMap<string, readonly Flag[]> {
    const found = new Map<string, Flag[]>();
    for (const flag of this.#flags) {
      const kind = Object.hasOwn(names, flag.name) ? names[flag.name] : undefined;
      if (kind === undefined) {
        throw this.wrong(`${this.place.keyword} has no option ${printable(`--${flag.name}`)}`, {
          at: flag.at,
          hint: didYouMean(flag.name, Object.keys(names)),
        });
      }
      const before = found.get(flag.name) ?? [];
      if (kind === "once" && before.length > 0)
        throw this.wrong(`--${flag.name} is given twice`, { at: flag.at });
      found.set(flag.name, [...before, flag]);
    }
    return found;
  }

  /** @throws DEFINITION_INVALID when there are flags */
  noFlags(): void {
    this.known({});
  }

  /** The value of a flag. @throws DEFINITION_INVALID when it has none */
  valueWord(flag: Flag | undefined): Word | undefined {
    if (flag === undefined) return undefined;
    if (flag.value === undefined) throw this.wrong(`--${flag.name} needs a value`, { at: flag.at });
    return this.word({ text: flag.value, at: flag.at });
  }

  /** A flag that is true or false; true without a value. @throws DEFINITION_INVALID */
  boolean(flag: Flag | undefined): boolean | undefined {
    if (flag === undefined) return undefined;
    const value = flag.value?.toLowerCase();
    if (value === undefined || value === "true") return true;
    if (value === "false") return false;
    throw this.wrong(`--${flag.name} is true or false`, { at: flag.at });
  }

  /** The arguments as a list in JSON; undefined when they are none. */
  json(): readonly string[] | undefined {
    if (!this.arguments.startsWith("[")) return undefined;
    let list: unknown;
    try {
      list = JSON.parse(this.arguments);
    } catch {
      return undefined;
    }
    if (!Array.isArray(list)) return undefined;
    const texts = list.filter((item): item is string => typeof item === "string");
    if (texts.length < list.length)
      throw this.wrong("a list in JSON form can only have texts in it", { at: this.start });
    return texts;
  }

  /** The arguments, at least one: separated by white space that is not in quotes. */
  quotedWords(): readonly Slice[] {
    return this.needed(quotedWords(this.#line.text, this.start, this.#escape));
  }
}
