import type { Tree } from "@lezer/common";
import type { LRParser } from "@lezer/lr";
import { parser } from "@lezer/python";
import { NotUnderstood } from "../../python/problem.ts";

/** Longest file, in characters. The longest recipe of Spack's builtin repository has 62 000. */
export const longestRecipe = 256 * 1024;
/** Longest file with errors in it: reading on after an error takes longer. */
const longestWithErrors = 64_000;
/** Deepest nesting of brackets; Spack's recipes have 9. */
const deepestBrackets = 100;
/** Most steps of the grammar for one character, without errors and with them; Spack's recipes take 0.37. */
const stepsPerCharacter = { right: 1.2, wrong: 0.5 } as const;

/** The grammar's tree; errors are nodes in it. @throws NotUnderstood for a file that takes too long, or nests too deeply */
export function syntaxTree(text: string): Tree {
  refuseDeepBrackets(text);
  try {
    return grow(parser.configure({ strict: true }), text, stepsPerCharacter.right);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    if (text.length > longestWithErrors) throw new NotUnderstood("a long file with a syntax error");
    return grow(parser, text, stepsPerCharacter.wrong);
  }
}

function grow(grammar: LRParser, text: string, perCharacter: number): Tree {
  const parse = grammar.startParse(text);
  const most = 1000 + perCharacter * text.length;
  for (let step = 0; step < most; step++) {
    const tree = parse.advance();
    if (tree !== null) return tree;
  }
  throw new NotUnderstood("a file that takes too long to read");
}

function refuseDeepBrackets(text: string): void {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[()[\]{}]/g)) {
    if (!"([{".includes(bracket)) depth = Math.max(0, depth - 1);
    else if (++depth > deepestBrackets) throw new NotUnderstood("brackets that are nested too deeply");
  }
}
