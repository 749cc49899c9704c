/** Turns the rules of `recipeRules.ts` into changes of environment variables for concrete specs. */
import type { ConcreteSpec } from "../spec/concrete.ts";
import type { EnvironmentModification } from "./environmentModification.ts";
import { recipeRules } from "./recipeRules.ts";

/** One rule of a recipe. */
export interface RecipeRule {
  /** Applies once for each dependent. */
  readonly perDependent: boolean;
  readonly kind: "set" | "unset" | "prepend" | "append";
  readonly variable: string;
  readonly separator: string;
  readonly value: string;
  /** A path that must exist, in the notation of values. */
  readonly exists: string | undefined;
  readonly conditions: readonly string[];
}

/** What rules need to know of the image. */
export interface RecipeContext {
  /** Prefix of a package in the image; undefined for packages that are not in it. */
  readonly prefixOf: (spec: ConcreteSpec) => string | undefined;
  readonly dependency: (spec: ConcreteSpec, name: string) => ConcreteSpec | undefined;
  /** Whether an absolute path exists in the image. */
  readonly exists: (path: string) => boolean;
  /** Whether a spec satisfies a constraint. */
  readonly satisfies: (spec: ConcreteSpec, constraint: string) => boolean;
}

const kinds: ReadonlyMap<string, RecipeRule["kind"]> = new Map([
  ["=", "set"],
  ["<", "prepend"],
  [">", "append"],
]);

/**
 * Reads the rules of one recipe.
 * @throws Error when the text is not in the language that `recipeRules.ts` describes
 */
export function parseRecipeRules(text: string): readonly RecipeRule[] {
  return text.split(" ; ").map(parseRule);
}

function parseRule(text: string): RecipeRule {
  const [head = "", when] = text.split(" when ");
  const words = head.split(" ");
  const perDependent = words[0] === "*";
  if (perDependent) words.shift();
  const [variable = "", operator = "", value = ""] = words;
  const conditions = when?.split(" & ") ?? [];
  const common = { perDependent, conditions };
  if (variable === "unset" && words.length === 2)
    return { ...common, kind: "unset", variable: operator, separator: ":", value: "", exists: undefined };
  const kind = kinds.get(operator.charAt(0));
  const tested = words[3] === "exists" ? (words[4] ?? value) : undefined;
  if (kind === undefined || words.length > (tested === undefined ? 3 : 5) || !/^\w+$/.test(variable))
    throw new Error(`not a rule: ${text}`);
  const separator = operator.slice(1);
  return {
    ...common,
    kind,
    variable,
    separator: separator === "" ? ":" : separator === "_" ? " " : separator,
    value,
    exists: tested,
  };
}

const parsed = new Map<string, readonly RecipeRule[]>();

function rulesOf(name: string): readonly RecipeRule[] {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const text = recipeRules.get(name);
  const rules = text === undefined ? [] : parseRecipeRules(text);
  parsed.set(name, rules);
  return rules;
}

/**
 * The changes one package makes to the environment: for each dependent, then for itself.
 * @param dependents packages of the image that depend on it at run time or by linking, in the order Spack goes through them
 */
export function recipeEffects(
  spec: ConcreteSpec,
  dependents: readonly ConcreteSpec[],
  context: RecipeContext,
): readonly EnvironmentModification[] {
  const rules = rulesOf(spec.name);
  if (rules.length === 0) return [];
  const changes: EnvironmentModification[] = [];
  for (const dependent of dependents)
    for (const rule of rules) if (rule.perDependent) applyRule(rule, spec, dependent, context, changes);
  for (const rule of rules) if (!rule.perDependent) applyRule(rule, spec, undefined, context, changes);
  return changes;
}

function applyRule(
  rule: RecipeRule,
  spec: ConcreteSpec,
  dependent: ConcreteSpec | undefined,
  context: RecipeContext,
  changes: EnvironmentModification[],
): void {
  if (!rule.conditions.every((condition) => holds(condition, spec, dependent, context))) return;
  if (rule.exists !== undefined) {
    const path = resolveValue(rule.exists, spec, dependent, context);
    if (path === undefined || !context.exists(path)) return;
  }
  const { kind, variable: name, separator } = rule;
  if (kind === "unset") {
    changes.push({ kind, name });
    return;
  }
  const value = resolveValue(rule.value, spec, dependent, context);
  if (value === undefined) return;
  if (kind === "set") changes.push({ kind, name, value });
  else changes.push(separator === ":" ? { kind, name, value } : { kind, name, value, separator });
}

function holds(
  condition: string,
  spec: ConcreteSpec,
  dependent: ConcreteSpec | undefined,
  context: RecipeContext,
): boolean {
  if (condition.startsWith("!")) return !holds(condition.slice(1), spec, dependent, context);
  const edge = /^dependent:\^(.+)$/.exec(condition)?.[1];
  if (edge !== undefined) return dependent?.dependencies.some((one) => one.name === edge) ?? false;
  return context.satisfies(spec, condition);
}

/** The absolute path, or text, that a value of a rule stands for; undefined when a package it names is not in the image. */
function resolveValue(
  value: string,
  spec: ConcreteSpec,
  dependent: ConcreteSpec | undefined,
  context: RecipeContext,
): string | undefined {
  let known = true;
  const filled = value.replace(/\{([a-z-]+)(?::(\d))?\}/g, (_, name: string, parts: string | undefined) => {
    const version = name === "version" ? spec.version : context.dependency(spec, name)?.version;
    if (version === undefined) known = false;
    return parts === undefined
      ? (version ?? "")
      : (version ?? "").split(".").slice(0, Number(parts)).join(".");
  });
  if (!known) return undefined;
  if (filled.startsWith('"')) return filled.slice(1, -1);
  const [, owner, path = "."] = /^(?:([a-z0-9-]+):)?(.*)$/.exec(filled) ?? [];
  const holder =
    owner === undefined ? spec : owner === "dependent" ? dependent : context.dependency(spec, owner);
  const prefix = holder === undefined ? undefined : context.prefixOf(holder);
  if (prefix === undefined) return undefined;
  return path === "." ? prefix : `${prefix}/${path}`;
}
