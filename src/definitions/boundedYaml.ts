/** YAML by a parser that stops where nesting becomes absurd: the library's later steps recurse, and can end the process. */
import {
  Composer,
  type CST,
  type Document,
  type DocumentOptions,
  Lexer,
  type LineCounter,
  Parser,
  type SchemaOptions,
  YAMLParseError,
} from "yaml";

/** Collections are nested too deeply. */
export class NestedTooDeeply extends Error {
  /** Where in the text, from 0. */
  readonly offset: number;

  constructor(offset: number) {
    super("it is nested too deeply");
    this.offset = offset;
  }
}

/** The library's options that may be given here; those that cost more than they help are fixed. */
export type YamlOptions = Pick<DocumentOptions & SchemaOptions, "version" | "schema"> & {
  /** Collections that may be open at once. */
  readonly depth: number;
  readonly lineCounter?: LineCounter;
};

/**
 * Parses a text of one YAML document. Keys are not compared with one another: the library's way takes quadratic time, and
 * whoever reads the document can do that.
 *
 * @returns the document, with its `errors`
 * @throws NestedTooDeeply
 */
export function parseYamlDocument(text: string, options: YamlOptions): Document.Parsed {
  const { depth, ...rest } = options;
  const composer = new Composer({ ...rest, prettyErrors: false, uniqueKeys: false, logLevel: "error" });
  let document: Document.Parsed | undefined;
  for (const one of composer.compose(tokensOf(text, depth, options.lineCounter), true, text.length)) {
    if (document !== undefined) {
      const at: [number, number] = [one.range[0], one.range[1]];
      document.errors.push(new YAMLParseError(at, "MULTIPLE_DOCS", "there is a second document"));
      break;
    }
    document = one;
  }
  if (document === undefined) throw new Error("the library gives no document");
  return document;
}

function* tokensOf(text: string, depth: number, lines: LineCounter | undefined): Generator<CST.Token> {
  lines?.addNewLine(0);
  const parser = new Parser(lines?.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    // The document itself and what stands in the innermost collection are on the stack as well.
    if (parser.stack.length > depth + 2) throw new NestedTooDeeply(parser.offset);
  }
  yield* parser.end();
}
