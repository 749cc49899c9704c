/** The words of a Python expression. */
import { unescaped } from "../../python/texts.ts";
import { PythonProblem, problemsAt } from "./problem.ts";

/** A word, and where it begins. */
export type ConditionToken =
  | { readonly kind: "name" | "operator" | "end"; readonly text: string; readonly offset: number }
  | { readonly kind: "string"; readonly text: string; readonly value: string; readonly offset: number }
  | {
      readonly kind: "number";
      readonly text: string;
      readonly value: bigint | number;
      readonly offset: number;
    };

const space = /[ \t\f]+|\\\r?\n|#[^\r\n]*/y;
const name = /[\p{L}_][\p{L}\p{N}_]*/uy;
const number =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*)?\.\d(?:_?\d)*(?:[eE][+-]?\d+)?|\d(?:_?\d)*\.?(?:[eE][+-]?\d+)?/y;
const operator = /\*\*|\/\/|<<|>>|==|!=|<=|>=|:=|->|[-+*/%@&|^~<>()[\]{},:.;=]/y;
const prefix = /([a-zA-Z]{0,2})("""|'''|"|')/y;
/**
 * Splits an expression. The last token is of kind `end`.
 *
 * @throws {PythonProblem}
 */
export function tokenizePython(text: string): readonly ConditionToken[] {
  const tokens: ConditionToken[] = [];
  const open: string[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const blank = match(space);
    if (blank !== null) {
      at += blank[0].length;
      continue;
    }
    if (text[at] === "\n" || text[at] === "\r") {
      // Inside of brackets lines do not count; outside, the expression ends with its line.
      const rest = text.slice(at).replace(/#[^\r\n]*/g, "");
      if (open.length === 0 && tokens.length > 0 && rest.trim() !== "")
        throw new PythonProblem("python", "an expression must be on one line", at);
      at++;
      continue;
    }
    const quote = match(prefix);
    if (quote !== null) {
      const token = readString(text, at, quote[1] ?? "", quote[2] ?? "");
      tokens.push(token);
      at += token.text.length;
      continue;
    }
    const word = match(name);
    if (word !== null) {
      tokens.push({ kind: "name", text: word[0], offset: at });
      at += word[0].length;
      continue;
    }
    const digits = match(number);
    if (digits !== null) {
      const [written] = digits;
      name.lastIndex = at + written.length;
      if (name.test(text) || /^0_?\d/.test(written.replace(/[.eE].*/, "x")))
        throw new PythonProblem("python", `\`${written}\` is not a number`, at);
      const plain = written.replaceAll("_", "");
      const whole = /^(?:0[xXoObB]|\d+$)/.test(plain);
      tokens.push({
        kind: "number",
        text: written,
        value: whole ? BigInt(plain) : Number(plain),
        offset: at,
      });
      at += written.length;
      continue;
    }
    const sign = match(operator);
    if (sign === null) throw new PythonProblem("python", `\`${text[at]}\` is not understood here`, at);
    if (/[([{]/.test(sign[0])) open.push(sign[0]);
    if (/[)\]}]/.test(sign[0])) open.pop();
    tokens.push({ kind: "operator", text: sign[0], offset: at });
    at += sign[0].length;
  }
  tokens.push({ kind: "end", text: "the end", offset: text.length });
  return tokens;
}

function readString(text: string, start: number, letters: string, quote: string): ConditionToken {
  const kind = letters.toLowerCase();
  if (!/^(?:r|u|b|f|br|rb|fr|rf|)$/.test(kind))
    throw new PythonProblem("python", `\`${letters}\` before a quote means nothing`, start);
  if (/[bf]/.test(kind))
    throw new PythonProblem("unsupported", `\`${letters}"…"\` is not evaluated here`, start);
  const raw = kind.includes("r");
  const from = start + letters.length + quote.length;
  let at = from;
  while (!text.startsWith(quote, at)) {
    if (at >= text.length || (quote.length === 1 && text[at] === "\n"))
      throw new PythonProblem("python", "the quote is not closed", start);
    at += text[at] === "\\" ? 2 : 1;
  }
  const inside = text.slice(from, at);
  const value = raw ? inside : problemsAt(start, () => unescaped(inside));
  return { kind: "string", text: text.slice(start, at + quote.length), value, offset: start };
}
