/** Relations between Debian packages (deb-control(5), Debian Policy chapter 7). */
import type { VersionOperator } from "./debianVersion.ts";

/** One possibility, such as `libc6 (>= 2.34)` or `python3:any`. */
export interface PackageRelation {
  readonly name: string;
  /** After a colon: `any`, `native`, or an architecture. */
  readonly qualifier?: string;
  readonly version?: { readonly operator: VersionOperator; readonly version: string };
}

/** Possibilities of which one is enough, in order of preference. */
export type Alternatives = readonly PackageRelation[];

const operators: Readonly<Record<string, VersionOperator>> = {
  "<<": "<<",
  "<=": "<=",
  "=": "=",
  ">=": ">=",
  ">>": ">>",
  // Deprecated spellings, which mean "or equal".
  "<": "<=",
  ">": ">=",
};

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9+.-]*$/;

/**
 * Parses the value of Depends, Pre-Depends, Conflicts, Breaks, Replaces or Provides.
 * @returns undefined when the value is malformed
 */
export function parseRelations(field: string): readonly Alternatives[] | undefined {
  const all: Alternatives[] = [];
  for (const part of field.split(",")) {
    if (part.trim() === "") continue;
    const alternatives: PackageRelation[] = [];
    for (const text of part.split("|")) {
      const relation = parseRelation(text.trim());
      if (relation === undefined) return undefined;
      alternatives.push(relation);
    }
    all.push(alternatives);
  }
  return all;
}

function parseRelation(text: string): PackageRelation | undefined {
  const open = text.indexOf("(");
  const target = (open < 0 ? text : text.slice(0, open)).trim();
  const colon = target.indexOf(":");
  const name = colon < 0 ? target : target.slice(0, colon);
  if (!namePattern.test(name)) return undefined;
  const qualifier = colon < 0 ? {} : { qualifier: target.slice(colon + 1) };
  if (open < 0) return { name, ...qualifier };
  const close = text.indexOf(")", open);
  if (close < 0 || text.slice(close + 1).trim() !== "") return undefined;
  const condition = text.slice(open + 1, close).trim();
  let end = 0;
  while (end < condition.length && "<>=".includes(condition.charAt(end))) end++;
  const operator = Object.hasOwn(operators, condition.slice(0, end))
    ? operators[condition.slice(0, end)]
    : undefined;
  const version = condition.slice(end).trim();
  if (operator === undefined || version === "" || /\s/.test(version)) return undefined;
  return { name, ...qualifier, version: { operator, version } };
}

/** The relation as it is written in control files. */
export function formatRelation(relation: PackageRelation): string {
  const name = relation.qualifier === undefined ? relation.name : `${relation.name}:${relation.qualifier}`;
  return relation.version === undefined
    ? name
    : `${name} (${relation.version.operator} ${relation.version.version})`;
}
