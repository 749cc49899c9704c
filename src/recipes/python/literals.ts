/** Python's literals. */
import { NotUnderstood } from "../../python/problem.ts";
import { unescaped } from "../../python/texts.ts";

/** The parts of a string literal: letters before it, its quote, where its inside begins and ends. */
export interface Quoting {
  readonly prefix: string;
  readonly from: number;
  readonly to: number;
}

/** How a string literal is quoted. @throws NotUnderstood if it is not one */
export function quotingOf(text: string): Quoting {
  const match = /^([a-zA-Z]*)("""|'''|"|')/.exec(text);
  const [head = "", prefix = "", quote = ""] = match ?? [];
  if (match === null || text.length < head.length + quote.length || !text.endsWith(quote))
    throw new NotUnderstood("a string that does not end");
  return { prefix: prefix.toLowerCase(), from: head.length, to: text.length - quote.length };
}

/** The text of a string literal without values in it. @throws NotUnderstood for bytes */
export function stringLiteral(text: string): string {
  const { prefix, from, to } = quotingOf(text);
  if (prefix.includes("b")) throw new NotUnderstood("bytes");
  const inside = text.slice(from, to);
  return prefix.includes("r") ? inside : unescaped(inside);
}

/** The number of a literal, and whether it is a whole one. @throws NotUnderstood for complex and very large ones */
export function numberLiteral(text: string): { readonly value: number; readonly whole: boolean } {
  const plain = text.replaceAll("_", "").toLowerCase();
  if (plain.endsWith("j")) throw new NotUnderstood("a complex number");
  const whole = /^(?:\d+|0x[0-9a-f]+|0o[0-7]+|0b[01]+)$/.test(plain);
  const value = Number(plain);
  if (Number.isNaN(value) || (whole && !Number.isSafeInteger(value)))
    throw new NotUnderstood("a number that is too large");
  return { value, whole };
}
