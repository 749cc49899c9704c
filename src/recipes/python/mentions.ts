/** What statements mention, looked at without evaluating them. */
import type { Expression, Statement } from "./tree.ts";

/** What statements could change, and whether they could end what runs. */
export interface Mentions {
  /** Names that get a value. */
  readonly assigned: Set<string>;
  /** Names that occur. */
  readonly used: Set<string>;
  /** `return`, `raise`, `break` or `continue`, or a statement that was not read. */
  ends: boolean;
}

/** What statements and expressions mention; functions inside them included. */
export function mentionsOf(
  statements: readonly Statement[],
  expressions: readonly Expression[] = [],
): Mentions {
  const found: Mentions = { assigned: new Set(), used: new Set(), ends: false };
  const seen = (value: unknown, target: boolean): void => {
    if (Array.isArray(value)) {
      for (const one of value) seen(one, target);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    const kind = "kind" in value ? value.kind : undefined;
    if (kind === "name" && "name" in value && typeof value.name === "string") {
      found.used.add(value.name);
      if (target) found.assigned.add(value.name);
      return;
    }
    if (kind === "assigned" && "name" in value && typeof value.name === "string")
      found.assigned.add(value.name);
    if (
      kind === "return" ||
      kind === "raise" ||
      kind === "break" ||
      kind === "continue" ||
      kind === "unknown"
    )
      found.ends = true;
    if (kind === "function" && "function" in value) {
      const { function: tree } = value as Extract<Statement, { kind: "function" }>;
      found.assigned.add(tree.name);
      return;
    }
    if (kind === "import" && "names" in value) {
      for (const { local } of (value as Extract<Statement, { kind: "import" }>).names)
        found.assigned.add(local);
      return;
    }
    const targets =
      kind === "assign" || kind === "update" || kind === "for" || kind === "delete" || kind === "with";
    for (const [key, one] of Object.entries(value))
      seen(one, targets && /^(?:targets?|items)$/.test(key) ? true : targets ? false : target);
  };
  seen(statements, false);
  seen(expressions, false);
  return found;
}
