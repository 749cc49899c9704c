/** Conditions of GitLab's `rules:`, as far as the pipelines have them that this program writes; and a little more. */
import { SpacktainersError } from "../util/errors.ts";

/** Values of variables; one that is not set is null. */
export type RuleVariables = Readonly<Record<string, string | undefined>>;

type Operand =
  | { readonly kind: "text"; readonly text: string | null }
  | { readonly kind: "pattern"; readonly pattern: RegExp };

/** Longest condition, in characters. */
const longestCondition = 10_000;

/**
 * Whether a condition holds: comparisons of variables and texts (`==`, `!=`, `=~`, `!~`), `&&` before `||`, parentheses. A variable
 * alone holds when it is not empty.
 *
 * @throws SpacktainersError DEFINITION_INVALID for what is no condition
 */
export function ruleHolds(condition: string, variables: RuleVariables): boolean {
  if (condition.length > longestCondition) throw invalid("the condition is too long");
  const words: string[] = [];
  const pattern = /\s+|(\$\w+|"[^"]*"|'[^']*'|\/(?:[^/\\]|\\.)*\/i?|null\b|==|!=|=~|!~|&&|\|\||[()])/gy;
  while (pattern.lastIndex < condition.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(condition);
    if (match === null) throw invalid(`\`${condition.slice(at, at + 20)}\` does not belong in a condition`);
    if (match[1] !== undefined) words.push(match[1]);
  }
  let at = 0;
  const take = (word: string): boolean => {
    if (words[at] !== word) return false;
    at++;
    return true;
  };
  const or = (): boolean => {
    let value = and();
    while (take("||")) value = and() || value;
    return value;
  };
  const and = (): boolean => {
    let value = comparison();
    while (take("&&")) value = comparison() && value;
    return value;
  };
  const comparison = (): boolean => {
    if (take("(")) {
      const value = or();
      if (!take(")")) throw invalid("a parenthesis is missing");
      return value;
    }
    const left = textOf(operandOf(words[at++], variables));
    const sign = ["==", "!=", "=~", "!~"].find((one) => take(one));
    if (sign === undefined) return left !== null && left !== "";
    const right = operandOf(words[at++], variables);
    if (sign === "==" || sign === "!=") return (left === textOf(right)) === (sign === "==");
    if (right.kind !== "pattern") throw invalid("a pattern is missing");
    return right.pattern.test(left ?? "") === (sign === "=~");
  };
  const value = or();
  if (at < words.length) throw invalid(`\`${words[at]}\` does not belong here`);
  return value;
}

function operandOf(word: string | undefined, variables: RuleVariables): Operand {
  if (word === undefined) throw invalid("the condition ends too early");
  if (word === "null") return { kind: "text", text: null };
  if (word.startsWith("$")) return { kind: "text", text: variables[word.slice(1)] ?? null };
  if (/^["']/.test(word)) return { kind: "text", text: word.slice(1, -1) };
  const [, source, flags] = /^\/(.*)\/(i?)$/s.exec(word) ?? [];
  if (source === undefined) throw invalid(`\`${word}\` does not belong here`);
  try {
    return { kind: "pattern", pattern: new RegExp(source, flags) };
  } catch {
    throw invalid(`\`${word}\` is not a pattern`);
  }
}

function textOf(operand: Operand): string | null {
  if (operand.kind === "pattern") throw invalid("a pattern cannot stand here");
  return operand.text;
}

function invalid(message: string): SpacktainersError {
  return new SpacktainersError("DEFINITION_INVALID", message);
}
