/**
 * A Dockerfile as logical lines: parser directives read, comments left out, continued lines joined, here-documents taken from
 * below the line that asks for them. As BuildKit's parser does it (`frontend/dockerfile/parser`), with positions.
 */
import { SpacktainersError } from "../util/errors.ts";
import { type Heredoc, heredocsIn } from "./heredocs.ts";
import { type EscapeCharacter, readFlags } from "./lineWords.ts";
import { trim, trimStart } from "./whitespace.ts";

/** A place in the file; line and column count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One instruction's text. */
export interface LogicalLine {
  /** Its physical lines joined, without continuation characters and comments. */
  readonly text: string;
  readonly line: number;
  /** Of its last physical line, here-documents included. */
  readonly endLine: number;
  /** With their content. */
  readonly heredocs: readonly Heredoc[];
  /** Where a character of `text` stands in the file. */
  position(offset: number): Position;
}

/** A Dockerfile's text, taken apart. */
export interface LogicalLines {
  readonly escape: EscapeCharacter;
  readonly lines: readonly LogicalLine[];
}

/** Where a piece of a logical line comes from. */
interface Piece extends Position {
  /** Offset in the logical line. */
  readonly at: number;
}

const directivePattern = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const directiveNames: ReadonlySet<string> = new Set(["syntax", "escape", "check"]);

/** Instructions that here-documents can follow. */
const takesHeredocs = /^(?:onbuild[\t\v\f\r ]+)?(?:add|copy|run)(?=[\t\v\f\r ]|$)/i;

/**
 * Takes a Dockerfile apart.
 *
 * @param file its path, for errors
 * @throws SpacktainersError DEFINITION_INVALID: a wrong or repeated directive, a here-document without end
 */
export function logicalLines(text: string, file: string): LogicalLines {
  const physical = text.replace(/^\ufeff/, "").split(/(?<=\n)/);
  const reader = new DirectiveReader(file);
  const lines: LogicalLine[] = [];
  let at = 0;
  while (at < physical.length) {
    const first = withoutNewline(physical[at] ?? "");
    const start = first.length - trimStart(first).length;
    const opening = first.slice(start);
    reader.read(opening, at + 1);
    const startLine = ++at;
    if (opening === "" || opening.startsWith("#")) continue;
    let joined = "";
    const pieces: Piece[] = [];
    let { kept, continued } = continuation(opening, reader.escape);
    if (!continued && kept === "") continue;
    pieces.push({ at: 0, line: startLine, column: start + 1 });
    joined += kept;
    while (continued && at < physical.length) {
      const line = withoutNewline(physical[at] ?? "");
      at++;
      const bare = trimStart(line);
      if (bare === "" || bare.startsWith("#")) continue;
      ({ kept, continued } = continuation(line, reader.escape));
      pieces.push({ at: joined.length, line: at, column: 1 });
      joined += kept;
    }
    if (trim(joined) === "") continue;
    const position = (offset: number): Position => placed(pieces, offset);
    const heredocs: Heredoc[] = [];
    for (const wanted of mayHaveHeredocs(joined, reader.escape) ? heredocsIn(joined) : []) {
      let content = "";
      for (;;) {
        const line = physical[at];
        if (line === undefined || line === "")
          throw new SpacktainersError("DEFINITION_INVALID", `the here-document ${wanted.name} has no end`, {
            place: { file, ...position(Math.max(0, joined.indexOf("<<"))) },
            hint: `end it with a line that has only ${wanted.name} in it`,
          });
        at++;
        const end = withoutNewline(line);
        if ((wanted.chomp ? end.replace(/^\t+/, "") : end) === wanted.name) break;
        content += line;
      }
      heredocs.push({ ...wanted, content });
    }
    lines.push({ text: joined, line: startLine, endLine: at, heredocs, position });
  }
  return { escape: reader.escape, lines };
}

/** Reads directives: comments of the form `# name=value` before anything else. */
class DirectiveReader {
  escape: EscapeCharacter = "\\";
  readonly #file: string;
  readonly #seen = new Set<string>();
  #ended = false;

  constructor(file: string) {
    this.#file = file;
  }

  read(line: string, number: number): void {
    if (this.#ended) return;
    const [, name, value] = directivePattern.exec(line) ?? [];
    const directive = name?.toLowerCase();
    if (directive === undefined || !directiveNames.has(directive)) {
      this.#ended = true;
      return;
    }
    const place = { file: this.#file, line: number, column: 1 };
    if (this.#seen.has(directive))
      throw new SpacktainersError("DEFINITION_INVALID", `the directive ${directive} is given twice`, {
        place,
      });
    this.#seen.add(directive);
    if (directive !== "escape") return;
    if (value !== "\\" && value !== "`")
      throw new SpacktainersError(
        "DEFINITION_INVALID",
        `${JSON.stringify(value)} cannot be the escape character`,
        { place, hint: "it is \\ or `" },
      );
    this.escape = value;
  }
}

function withoutNewline(line: string): string {
  return line.replace(/[\r\n]+$/, "");
}

/** What stays of a physical line, and whether the next one continues it. */
function continuation(line: string, escapeCharacter: EscapeCharacter): { kept: string; continued: boolean } {
  const end = line.replace(/[ \t]+$/, "");
  const isContinued = end.endsWith(escapeCharacter) && end.at(-2) !== escapeCharacter;
  return isContinued ? { kept: end.slice(0, -1), continued: true } : { kept: line, continued: false };
}

/** A form in JSON has none: there, `<<` is text. */
function mayHaveHeredocs(text: string, escapeCharacter: EscapeCharacter): boolean {
  if (!text.includes("<<")) return false;
  const keyword = takesHeredocs.exec(trimStart(text));
  if (keyword === null) return false;
  const line = trimStart(text);
  return !isJsonForm(line.slice(readFlags(line, keyword[0].length, escapeCharacter).rest));
}

/** Whether arguments are a JSON list: what is not one is text for the shell. */
function isJsonForm(text: string): boolean {
  const list = trim(text);
  if (!list.startsWith("[")) return false;
  try {
    return Array.isArray(JSON.parse(list));
  } catch {
    return false;
  }
}

function placed(pieces: readonly Piece[], offset: number): Position {
  const piece = pieces.findLast(({ at }) => at <= offset) ?? { at: 0, line: 1, column: 1 };
  return { line: piece.line, column: piece.column + offset - piece.at };
}
